//! What became of the requests, held against the model.

use super::*;

impl World {
    /// Holds every request that was answered since the last step against the model.
    pub(super) fn judge(&mut self) -> Result<(), String> {
        let crashes = self.gateway.crashes();
        if crashes != self.planned_crashes {
            return Err("a VM died by itself".to_owned());
        }
        if let Some(what) = &self.servers.borrow().wrong {
            return Err(what.clone());
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

    pub(super) fn judge_one(&mut self, sent: &Sent, outcome: Outcome) -> Result<(), String> {
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

    pub(super) fn history<'w>(
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

    pub(super) fn judge_login(
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
    pub(super) fn limited(&self, sent: &Sent, now: Duration) -> bool {
        let wall = self.history(sent, now, &[]).wall(now);
        let lately = |at: Duration| at + Duration::from_secs(61) >= wall;
        let passed = self.passed_limit.iter();
        let passed = passed.filter(|(version, at)| *version == sent.version && lately(*at));
        let passed = passed.count();
        passed >= self.plans[sent.version as usize].limit || (passed > 0 && !self.jumps.is_empty())
    }

    pub(super) fn judge_passed(
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
    pub(super) fn check_limit(&self, version: u32) -> Result<(), String> {
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
}
