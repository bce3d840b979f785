//! What the clients of a world send, and when they leave.

use super::*;

impl World {
    pub(super) fn leave(&mut self) {
        let waiting: Vec<usize> = (0..self.sent.len())
            .filter(|at| self.sent[*at].request.outcome() == Outcome::Waiting)
            .collect();
        if !waiting.is_empty() {
            let at = self.dice.pick(&waiting);
            let request = self.sent[at].request.clone();
            self.gateway.leave(&request);
        }
    }

    pub(super) fn finish_bodies(&mut self) {
        for sent in &mut self.sent {
            if std::mem::take(&mut sent.open) {
                sent.body.extend(b" end");
                self.gateway.send_body(&sent.request, " end");
                self.gateway.send_end(&sent.request);
            }
        }
    }

    pub(super) fn present(&mut self, rule: &str) -> Presented {
        let dice = &mut self.dice;
        let number = dice.between(0, CLIENTS - 1);
        let id = format!("shop-{number}");
        let servers = self.servers.borrow();
        let mut presented = Presented::default();
        if matches!(rule, "pair" | "any" | "all") || dice.chance(5) {
            let secrets = &servers.secrets[&id];
            let shown = match dice.between(0, 9) {
                0 => "wrong".to_owned(),
                1 => secret(0),
                2 => secrets[0].clone(),
                _ => secrets[secrets.len() - 1].clone(),
            };
            presented.id = (!dice.chance(3)).then(|| id.clone());
            presented.secret = (!dice.chance(3)).then_some(shown);
        }
        if matches!(rule, "key" | "own" | "limited" | "all")
            || dice.chance(if rule == "any" { 40 } else { 5 })
        {
            let kind = dice.pick(&["key", "key", "key", "ending", "revoked", "no"]);
            presented.key = (!dice.chance(4)).then_some((number, kind));
            presented.doubled = presented.key.is_some() && dice.chance(3);
        }
        if rule == "jwt" {
            let now = servers.wall(self.gateway.elapsed());
            let newest = *servers.keys.last().unwrap();
            let oldest = servers.keys[0];
            let key = dice.pick(&[newest, newest, newest, oldest, 1, newest + 1]);
            let iat = Duration::from_secs(now.as_secs());
            let exp = match dice.chance(15) {
                true => iat - Duration::from_secs(dice.between(1, 60)),
                false => iat + Duration::from_secs(dice.between(1, 300)),
            };
            let flaw = dice.pick(&[
                Flaw::None,
                Flaw::None,
                Flaw::None,
                Flaw::Forged,
                Flaw::Issuer,
            ]);
            let mut claims = jwt::claims(&format!("user-{number}"), iat, exp, dice.next());
            if flaw == Flaw::Issuer {
                claims["iss"] = "https://elsewhere.example.com".into();
            }
            let mut text = jwt::sign(key, &claims);
            if flaw == Flaw::Forged {
                let signature = text.rfind('.').unwrap();
                text.truncate(signature);
                text.push_str(
                    jwt::sign(key, &"other".into())
                        .rsplit_once('.')
                        .map(|(_, last)| last)
                        .map(|last| format!(".{last}"))
                        .unwrap()
                        .as_str(),
                );
            }
            let subject = format!("user-{number}");
            presented.jwt = Some(Jwt {
                text,
                subject,
                key,
                iat,
                exp,
                flaw,
            });
        }
        if rule == "session" && !self.sessions.is_empty() {
            let mut text = dice.pick(&self.sessions.iter().collect::<Vec<_>>()).clone();
            let forged = dice.chance(20);
            if forged {
                let signature = text.rfind('.').unwrap();
                text.truncate(signature);
                text.push_str(".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
            }
            presented.session = Some((text, forged));
        }
        if rule == "login" {
            let secret = match dice.chance(70) {
                true => login_secret(number),
                false => dice.pick(&["wrong", "login-0", "s0"]).to_owned(),
            };
            presented.login = Some((id, secret));
        }
        presented
    }

    pub(super) fn send(&mut self) {
        let rule = self.dice.pick(&[
            "pair", "pair", "pair", "pair", "pair", "jwt", "key", "any", "all", "own", "own",
            "session", "limited", "login", "open", "nowhere",
        ]);
        let presented = self.present(rule);
        if let (Some(id), Some(secret)) = (&presented.id, &presented.secret) {
            let pair = (id.clone(), secret.clone());
            self.servers.borrow_mut().presented.insert(pair);
        }
        let worker = self.dice.between(0, self.workers as u64 - 1) as usize;
        let (version, from) = (self.plan().version, self.gateway.elapsed());
        let life = self
            .servers
            .borrow()
            .lives
            .get(&Place::Worker(worker))
            .copied()
            .unwrap_or(0);
        let forges = self.dice.chance(25);
        let body = match (&presented.login, self.dice.chance(15)) {
            (Some((id, secret)), _) => {
                Some(serde_json::json!({"id": id, "secret": secret}).to_string())
            }
            (None, true) => Some("some body".to_owned()),
            (None, false) => None,
        };
        let open = presented.login.is_none() && body.is_some() && self.dice.chance(50);
        let method = if body.is_some() { "POST" } else { "GET" };
        let line = match rule {
            "login" => "POST /login".to_owned(),
            _ => format!("{method} /{rule}/thing"),
        };
        let mut builder = self.gateway.request(&line).worker(worker);
        let headers = [
            ("x-client-id", presented.id.clone()),
            ("x-client-secret", presented.secret.clone()),
            (
                "x-api-key",
                presented
                    .key
                    .map(|(number, kind)| format!("{kind}-{number}")),
            ),
            ("x-api-key", presented.doubled.then(|| "key-0".to_owned())),
            (
                "authorization",
                presented
                    .jwt
                    .as_ref()
                    .map(|jwt| format!("Bearer {}", jwt.text)),
            ),
            (
                "x-session",
                presented.session.as_ref().map(|(text, _)| text.clone()),
            ),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                builder = builder.header(name, value);
            }
        }
        if forges {
            for name in [
                "x-auth-client",
                "X-Auth-Client",
                "x_auth_client",
                "x-user",
                "x-auth-scopes",
            ] {
                builder = builder.header(name, "forged");
            }
        }
        if let Some(body) = &body {
            builder = builder
                .header("content-type", "application/json")
                .body(body.clone());
        }
        let request = if open { builder.open() } else { builder }.send();
        self.sent.push(Sent {
            request,
            rule,
            presented,
            worker,
            life,
            version,
            from,
            body: body.unwrap_or_default().into_bytes(),
            open,
            judged: false,
        });
    }
}
