//! One world: made from a seed, run to its end, and judged.

mod requests;
mod verdicts;

use crate::bounds::Calls;
use crate::dice::Dice;
use crate::history::{Flaw, History, Jwt, Presented};
use crate::jwt;
use crate::model::{allowed, may_log_in};
use crate::plan::{CLIENTS, OWN, Plan, login_secret, secret};
use crate::servers::{Said, Server, Servers, Weather};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
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
        let mut secrets: BTreeMap<_, _> = ids.clone().map(|id| (id, vec![secret(0)])).collect();
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
            plans: vec![plan.clone()],
            presented: BTreeSet::new(),
            assertions: BTreeSet::new(),
            wrong: None,
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
        let keys = gateway.shared_keys();
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
                let next = secret(self.dice.between(1, 9));
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
        self.servers.borrow_mut().plans.push(plan.clone());
        self.troubles.push(self.gateway.elapsed());
        self.gateway.update_policy(0, plan.yaml()).unwrap();
        self.plans.push(plan);
        self.keys = self.gateway.shared_keys();
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
        if self.gateway.shared_keys() != self.keys {
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
