//! One world: made from a seed, run to its end, and judged.

use crate::bounds::Calls;
use crate::dice::Dice;
use crate::history::{Flaw, History, Jwt, Presented};
use crate::jwt;
use crate::model::{allowed, may_log_in};
use crate::plan::{CLIENTS, OWN, Plan, login_secret};
use crate::servers::{Said, Server, Servers, Weather};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use testhost::{Cluster, Filter, Gateway, Level, Outcome, Place, Request, Span, Upstream};

/// When a gateway's clock begins.
const START: Duration = Duration::from_secs(1_795_262_400);
/// The memory that a VM may have at the end of a world; it has about 3 MiB at its start.
const MEMORY: usize = 16 << 20;

/// A request that was sent, and with what.
struct Sent {
    request: Request,
    rule: &'static str,
    presented: Presented,
    worker: usize,
    life: usize,
    version: u32,
    from: Duration,
    body: Vec<u8>,
    /// Whether its end is still to be sent.
    open: bool,
    judged: bool,
}

pub struct World {
    dice: Dice,
    gateway: Gateway,
    servers: Rc<RefCell<Servers>>,
    workers: usize,
    plans: Vec<Plan>,
    sent: Vec<Sent>,
    /// Sessions that were given.
    sessions: Vec<String>,
    jumps: Vec<(Duration, i64)>,
    troubles: Vec<Duration>,
    crashes: Vec<(Place, Duration)>,
    planned_crashes: u64,
    clusters_down: bool,
    unreachable: bool,
    rejections: bool,
    keys: usize,
    /// When the calls of the limited rule passed, by version and wall clock.
    passed_limit: Vec<(u32, Duration)>,
}

/// Runs the world of a seed; an error tells what must not be, and how it came to that.
pub fn run(filter: &Filter, seed: u64) -> Result<(), String> {
    let mut world = World::new(filter, seed);
    let outcome = world.live();
    outcome.map_err(|what| format!("seed {seed}: {what}\n{}", world.story()))
}

/// The whole trace of a seed.
pub fn trace(filter: &Filter, seed: u64) -> String {
    let mut world = World::new(filter, seed);
    let outcome = world.live();
    format!("{outcome:?}\n{}", world.story())
}

impl World {
    fn new(filter: &Filter, seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let plan = Plan::throw(&mut dice, 0);
        let workers = dice.between(1, 4) as usize;
        let weather = [Server::Tokens, Server::Own, Server::Keys, Server::Registry]
            .map(|server| (server, Weather::throw(&mut dice)));
        let ids = (0..CLIENTS).map(|number| format!("shop-{number}"));
        let mut secrets: BTreeMap<_, _> =
            ids.clone().map(|id| (id, vec!["s0".to_owned()])).collect();
        secrets.insert(OWN.0.to_owned(), vec![OWN.1.to_owned()]);
        let servers = Servers {
            dice: Dice::new(seed ^ 0xffff),
            weather: weather.into_iter().collect(),
            calls: Vec::new(),
            secrets,
            keys: vec![1],
            rows: ids.map(|id| (id, true)).collect(),
            lives: BTreeMap::new(),
            offset: 0,
            start: START,
            verify: [(0, plan.verify)].into_iter().collect(),
            serial: 0,
        };
        let servers = Rc::new(RefCell::new(servers));
        let builder = Gateway::builder(filter, plan.yaml())
            .workers(workers)
            .allow_on_headers_stop_iteration(true)
            .queue_latency(Duration::from_micros(dice.between(0, 1) * 300))
            .canary(false)
            .clock(START)
            .seed(seed);
        let mut gateway = builder.start().unwrap();
        let answering = servers.clone();
        gateway.endpoint(move |call| answering.borrow_mut().answer(call));
        let keys = gateway.shared_data().len();
        World {
            dice,
            gateway,
            servers,
            workers,
            plans: vec![plan],
            sent: Vec::new(),
            sessions: Vec::new(),
            jumps: Vec::new(),
            troubles: Vec::new(),
            crashes: Vec::new(),
            planned_crashes: 0,
            clusters_down: false,
            unreachable: false,
            rejections: false,
            keys,
            passed_limit: Vec::new(),
        }
    }

    fn live(&mut self) -> Result<(), String> {
        // Workers fetch their key sets in their first second, or a request does it for them.
        if self.dice.chance(80) {
            self.gateway.advance(1.s());
        }
        for _ in 0..self.dice.between(15, 45) {
            self.step();
            self.judge()?;
        }
        self.end()?;
        let servers = self.servers.borrow();
        let calls = Calls {
            calls: &servers.calls,
            plans: &self.plans,
            jumps: &self.jumps,
            start: START,
            rejections: self.rejections,
            unreachable: self.unreachable,
            lives: &servers.lives,
            end: self.gateway.elapsed(),
        };
        calls.check()
    }

    /// All that happened, then all calls and what came of them.
    fn story(&self) -> String {
        let servers = self.servers.borrow();
        let calls: Vec<String> = servers.calls.iter().map(ToString::to_string).collect();
        format!("{}calls:\n{}", self.gateway.trace(), calls.join("\n"))
    }

    fn step(&mut self) {
        if self.clusters_down {
            self.troubles.push(self.gateway.elapsed());
        }
        match self.dice.between(0, 99) {
            0..50 => {
                for _ in 0..self.dice.between(1, 3) {
                    self.send();
                }
            }
            50..64 => self.pass(1, 200),
            64..80 => self.pass(200, 4000),
            80..84 => self.change_weather(),
            84 => self.crash(),
            85 | 86 => self.jump(),
            87 => self.update(),
            88 => {
                self.gateway.drain();
                let now = self.gateway.elapsed();
                self.lose(now, |call, version| call.version < version);
            }
            89 | 90 => self.change_servers(),
            91..94 => self.leave(),
            94 => {
                let status = self.dice.pick(&[200, 401]);
                self.rejections |= status == 401;
                self.gateway.set_upstream_status(status);
            }
            95 => {
                self.clusters_down = !self.clusters_down;
                self.unreachable = true;
                let state = match self.clusters_down {
                    true => Cluster::Unhealthy,
                    false => Cluster::Up,
                };
                let all = ["idp", "keys", "registry"];
                let one = [self.dice.pick(&all)];
                let names = if self.clusters_down { &one[..] } else { &all };
                for name in names {
                    self.gateway.set_cluster(name, state);
                }
                self.troubles.push(self.gateway.elapsed());
            }
            _ => self.finish_bodies(),
        }
    }

    fn pass(&mut self, least: u64, most: u64) {
        let time = self.dice.between(least, most);
        self.gateway.advance(time.ms());
    }

    fn plan(&self) -> &Plan {
        &self.plans[self.plans.len() - 1]
    }

    fn change_weather(&mut self) {
        let server = self.dice.pick(&[
            Server::Tokens,
            Server::Tokens,
            Server::Own,
            Server::Keys,
            Server::Registry,
        ]);
        let weather = Weather::throw(&mut self.dice);
        self.servers.borrow_mut().weather.insert(server, weather);
    }

    fn change_servers(&mut self) {
        let id = format!("shop-{}", self.dice.between(0, CLIENTS - 1));
        let mut servers = self.servers.borrow_mut();
        match self.dice.between(0, 2) {
            0 => {
                // A rotation: two secrets are good for a while, or at once only the new one.
                let next = format!("s{}", self.dice.between(1, 9));
                let both = self.dice.chance(50);
                let secrets = servers.secrets.get_mut(&id).unwrap();
                let keep = secrets.len() - usize::from(both);
                secrets.drain(..keep);
                if !both {
                    secrets.clear();
                }
                secrets.push(next);
            }
            1 => {
                let next = servers.keys.last().unwrap() + 1;
                servers.keys.push(next);
                if self.dice.chance(50) {
                    servers.keys.remove(0);
                }
            }
            _ => {
                let enabled = self.dice.chance(50);
                if self.dice.chance(25) {
                    servers.rows.remove(&id);
                } else {
                    servers.rows.insert(id, enabled);
                }
            }
        }
    }

    /// Calls that nobody will hear the end of any more.
    fn lose(&self, now: Duration, which: impl Fn(&crate::servers::Call, u32) -> bool) {
        let version = self.plan().version;
        for call in &mut self.servers.borrow_mut().calls {
            if call.ends > now && which(call, version) {
                call.said = Said::Lost;
                call.ends = now;
            }
        }
    }

    fn crash(&mut self) {
        let worker = self.dice.between(0, self.workers as u64 - 1) as usize;
        let (now, place) = (self.gateway.elapsed(), Place::Worker(worker));
        let before = self.gateway.crashes();
        self.gateway.crash(worker);
        self.planned_crashes += self.gateway.crashes() - before;
        self.crashes.push((place, now));
        self.lose(now, |call, _| call.place == place);
        *self.servers.borrow_mut().lives.entry(place).or_default() += 1;
        // What happens from now on is told from what happened before by its time.
        self.gateway.advance(1.ms());
    }

    fn jump(&mut self) {
        let by = self.dice.pick(&[1, 10, 45, 120, 1800, 7000]);
        let forward = self.dice.chance(50);
        self.gateway.advance(1.ms());
        let now = self.gateway.elapsed();
        let mut servers = self.servers.borrow_mut();
        let signed = i64::try_from(by * 1000).unwrap();
        servers.offset += if forward { signed } else { -signed };
        self.jumps.push((now, servers.offset));
        drop(servers);
        match forward {
            true => self.gateway.jump_clock(by.s()),
            false => self.gateway.jump_clock_back(by.s()),
        }
        self.gateway.advance(1.ms());
    }

    fn update(&mut self) {
        let version = self.plan().version + 1;
        let plan = Plan::throw(&mut self.dice, version);
        self.servers
            .borrow_mut()
            .verify
            .insert(plan.version, plan.verify);
        self.troubles.push(self.gateway.elapsed());
        self.gateway.update_policy(0, plan.yaml()).unwrap();
        self.plans.push(plan);
        self.keys = self.gateway.shared_data().len();
    }

    fn leave(&mut self) {
        let waiting: Vec<usize> = (0..self.sent.len())
            .filter(|at| self.sent[*at].request.outcome() == Outcome::Waiting)
            .collect();
        if !waiting.is_empty() {
            let at = self.dice.pick(&waiting);
            let request = self.sent[at].request.clone();
            self.gateway.leave(&request);
        }
    }

    fn finish_bodies(&mut self) {
        for sent in &mut self.sent {
            if std::mem::take(&mut sent.open) {
                sent.body.extend(b" end");
                self.gateway.send_body(&sent.request, " end");
                self.gateway.send_end(&sent.request);
            }
        }
    }

    fn present(&mut self, rule: &str) -> Presented {
        let dice = &mut self.dice;
        let number = dice.between(0, CLIENTS - 1);
        let id = format!("shop-{number}");
        let servers = self.servers.borrow();
        let mut presented = Presented::default();
        if matches!(rule, "pair" | "any" | "all") || dice.chance(5) {
            let secrets = &servers.secrets[&id];
            let secret = match dice.between(0, 9) {
                0 => "wrong".to_owned(),
                1 => "s0".to_owned(),
                2 => secrets[0].clone(),
                _ => secrets[secrets.len() - 1].clone(),
            };
            presented.id = (!dice.chance(3)).then(|| id.clone());
            presented.secret = (!dice.chance(3)).then_some(secret);
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

    fn send(&mut self) {
        let rule = self.dice.pick(&[
            "pair", "pair", "pair", "pair", "pair", "jwt", "key", "any", "all", "own", "own",
            "session", "limited", "login", "open", "nowhere",
        ]);
        let presented = self.present(rule);
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

    /// Holds every request that was answered since the last step against the model.
    fn judge(&mut self) -> Result<(), String> {
        let crashes = self.gateway.crashes();
        if crashes != self.planned_crashes {
            return Err("a VM died by itself".to_owned());
        }
        let mut sent = std::mem::take(&mut self.sent);
        let outcome = sent.iter_mut().filter(|sent| !sent.judged).try_for_each(|sent| {
            let outcome = sent.request.outcome();
            sent.judged = outcome != Outcome::Waiting;
            self.judge_one(sent, outcome).map_err(|what| {
                let Sent { rule, presented, worker, version, from, .. } = &*sent;
                format!(
                    "{what}\n  /{rule} with {presented:?} at {from:?} on worker {worker} under {:?}",
                    self.plans[*version as usize]
                )
            })
        });
        self.sent = sent;
        outcome
    }

    fn judge_one(&mut self, sent: &Sent, outcome: Outcome) -> Result<(), String> {
        let now = self.gateway.elapsed();
        let place = Place::Worker(sent.worker);
        match outcome {
            Outcome::Waiting => {
                let plan = &self.plans[sent.version as usize];
                match now > sent.from + bound(plan) {
                    true => Err(format!("it waits since {:?}", sent.from)),
                    false => Ok(()),
                }
            }
            Outcome::Left => Ok(()),
            Outcome::Hangs => {
                let died = |(dead, at): &(Place, Duration)| *dead == place && *at >= sent.from;
                match self.crashes.iter().any(died) {
                    true => Ok(()),
                    false => Err("it hangs, though its worker lives".to_owned()),
                }
            }
            Outcome::LocalReply(reply) => {
                if sent.request.upstream().is_some() {
                    return Err("it was refused after it had reached the upstream".to_owned());
                }
                if reply.details == "wasm_fail_stream" {
                    let died = self.crashes.iter().any(|(dead, _)| *dead == place);
                    return if died {
                        Ok(())
                    } else {
                        Err("no VM serves it".to_owned())
                    };
                }
                if let Some(login) = &sent.presented.login {
                    return self.judge_login(login, reply.status, &reply.text());
                }
                let reason = reply.details.trim_start_matches("doorward_denied{");
                let reason = reason.trim_end_matches('}');
                let servers = self.servers.borrow();
                let history = self.history(sent, now, &servers.calls);
                let allowed = allowed(sent.rule, &sent.presented, &history);
                let limited = sent.rule == "limited" && reason == "rate_limited";
                match allowed.refusals.contains(&reason) || (limited && self.limited(sent, now)) {
                    true => Ok(()),
                    false => Err(format!("refused as {reason}; the model says {allowed:?}")),
                }
            }
            Outcome::Upstream(upstream) => self.judge_passed(sent, &upstream, now),
        }
    }

    fn history<'w>(
        &'w self,
        sent: &Sent,
        now: Duration,
        calls: &'w [crate::servers::Call],
    ) -> History<'w> {
        History {
            calls,
            jumps: &self.jumps,
            troubles: &self.troubles,
            crashes: &self.crashes,
            start: START,
            plan: &self.plans[sent.version as usize],
            place: Place::Worker(sent.worker),
            life: sent.life,
            from: sent.from,
            to: now,
        }
    }

    fn judge_login(
        &mut self,
        login: &(String, String),
        status: u16,
        body: &str,
    ) -> Result<(), String> {
        let good = may_log_in(login);
        if status != if good { 200 } else { 401 } {
            return Err(format!("login {good}: {status} {body}"));
        }
        if good {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let token = body["access_token"].as_str().unwrap().to_owned();
            if jwt::claim(&token, "sub") != Some(login.0.clone().into()) {
                return Err(format!("a session of another client: {body}"));
            }
            self.sessions.push(token);
        }
        Ok(())
    }

    /// Whether so many calls passed within the last minute that one more is too many. A clock
    /// that goes back makes a bucket fill for longer.
    fn limited(&self, sent: &Sent, now: Duration) -> bool {
        let wall = self.history(sent, now, &[]).wall(now);
        let lately = |at: Duration| at + Duration::from_secs(61) >= wall;
        let passed = self.passed_limit.iter();
        let passed = passed.filter(|(version, at)| *version == sent.version && lately(*at));
        let passed = passed.count();
        passed >= self.plans[sent.version as usize].limit || (passed > 0 && !self.jumps.is_empty())
    }

    fn judge_passed(
        &mut self,
        sent: &Sent,
        upstream: &Upstream,
        now: Duration,
    ) -> Result<(), String> {
        let servers = self.servers.clone();
        let servers = servers.borrow();
        let history = self.history(sent, now, &servers.calls);
        let allowed = allowed(sent.rule, &sent.presented, &history);
        let bearer = match upstream.headers.all("authorization").as_slice() {
            [] => None,
            [one] => Some(one.strip_prefix("Bearer ").unwrap_or(one).to_owned()),
            more => return Err(format!("{} tokens", more.len())),
        };
        let open = sent.rule == "open";
        if !open && !allowed.bearers.contains(&bearer) {
            return Err(format!(
                "it passed with {bearer:?}; the model says {allowed:?}"
            ));
        }
        let values = |name: &str| upstream.headers.all(name);
        // In an `any` it is the token that tells whose credentials did it.
        let client: Vec<String> = allowed.client.iter().cloned().collect();
        let user: Vec<String> = allowed.user.iter().cloned().collect();
        if values("x-auth-client") != client || values("x-user") != user {
            return Err(format!(
                "it passed as another one: {:?}; the model says {allowed:?}",
                upstream.headers
            ));
        }
        let forged = ["x_auth_client", "x-auth-scopes"];
        let secret = ["x-client-secret", "x-client-id", "x-api-key", "x-session"];
        let stays = forged.iter().chain(secret.iter().filter(|_| !open));
        for name in stays {
            if values(name)
                .iter()
                .any(|value| *name != "x-auth-scopes" || value == "forged")
            {
                return Err(format!("{name} reached the upstream"));
            }
        }
        if !sent.open && upstream.complete && upstream.body != sent.body {
            return Err("another body reached the upstream".to_owned());
        }
        if sent.rule == "limited" {
            let wall = history.wall(now);
            self.passed_limit.push((sent.version, wall));
            self.check_limit(sent.version)?;
        }
        Ok(())
    }

    /// The limited rule lets no more through than its buckets hold and refill.
    fn check_limit(&self, version: u32) -> Result<(), String> {
        if !self.jumps.is_empty() {
            return Ok(());
        }
        let passed: Vec<Duration> = self
            .passed_limit
            .iter()
            .filter(|(of, _)| *of == version)
            .map(|(_, at)| *at)
            .collect();
        let (limit, since) = (self.plans[version as usize].limit, passed[0]);
        let minutes = (passed[passed.len() - 1] - since).as_secs_f64() / 60.0;
        let most = CLIENTS as f64 * (limit as f64 * (1.0 + minutes) + 1.0);
        match passed.len() as f64 <= most {
            true => Ok(()),
            false => Err(format!("{} passed where {most} may", passed.len())),
        }
    }

    /// Nobody waits for ever, and nothing has grown.
    fn end(&mut self) -> Result<(), String> {
        self.finish_bodies();
        let mut waited = Duration::ZERO;
        let longest = self.plans.iter().map(bound).max().unwrap_or_default();
        while waited <= longest + 2.s() {
            let waits = |sent: &Sent| sent.request.outcome() == Outcome::Waiting;
            if !self.sent.iter().any(waits) {
                break;
            }
            self.gateway.advance(1.s());
            waited += 1.s();
            self.judge()?;
        }
        self.gateway.drain();
        self.gateway.advance(5.s());
        self.judge()?;
        if self.gateway.shared_data().len() != self.keys {
            return Err("the board has more keys than policies made".to_owned());
        }
        if let Some((place, bytes)) = self
            .gateway
            .memory()
            .iter()
            .find(|(_, bytes)| **bytes > MEMORY)
        {
            return Err(format!("{place} has {bytes} bytes of memory"));
        }
        let expected = "refuses the gateway's own client";
        let bad = self
            .gateway
            .log()
            .into_iter()
            .find(|log| log.level >= Level::Error && !log.line.contains(expected));
        match bad {
            Some(log) => Err(format!("logged: {log}")),
            None => Ok(()),
        }
    }
}

/// How long a request may wait at the most: for the lease of a worker that died, for the one
/// that took it over, and for its own call, all of it twice where the first token is no good;
/// and for the keys and the registry.
fn bound(plan: &Plan) -> Duration {
    let tries = u32::try_from(plan.attempts).unwrap();
    let longest = plan.timeout * tries + Duration::from_millis(plan.max) * tries;
    let once = (longest + 3.s()) * 3;
    once * 2 + 20.s()
}
