//! `doorward explain`.

mod answers;
mod host;
mod names;
mod report;
mod request;
mod words;

use crate::envoy;
use crate::input::{Environment, Outcome, read, shown};
use crate::output::{print, print_json};
use answers::Answers;
use clap::Args;
use doorward_core::engine::{Decision, Engine};
use doorward_core::http::Verdict;
use doorward_core::policy::{self, document};
use host::ExplainHost;
use names::Names;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

/// How far the clock is turned while something waits, as the filter's tick does.
const TICK: Duration = Duration::from_millis(50);
/// How long before the request the gateway was started: longer than it lets a key set alone
/// whose server failed.
const STARTED: Duration = Duration::from_secs(5);
/// How often it is turned before the request counts as stuck: a minute and more of waiting.
const MAX_TICKS: usize = 2_000;

/// Tell what the gateway would do with a request, and why: exit 0 where it would go on to
/// the upstream, 1 where it would be refused, 2 where that can't be said.
///
/// The request is judged by the filter's own code, on this machine: nothing is called. What
/// other servers would answer can be given as files; a call without one is shown and counts
/// as unanswered.
///
/// An ANSWER is a file with the body of a 200, a status (503), or both (401:FILE).
#[derive(Debug, Args)]
pub struct Explain {
    /// The policy in YAML or JSON; `-` is standard input.
    #[arg(short, long)]
    policy: PathBuf,
    /// The request's method and target, for instance 'GET /orders?page=2'. The target may be
    /// a whole URL, whose host is then the request's.
    #[arg(short, long, value_name = "METHOD TARGET", value_parser = request::Line::from_str)]
    request: request::Line,
    /// A header; may be given more than once.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = request::header)]
    headers: Vec<(String, String)>,
    /// A header whose value is the whole of a file, for credentials: NAME: @FILE.
    #[arg(long, value_name = "NAME: FILE", value_parser = request::header)]
    header_file: Vec<(String, String)>,
    /// A token for `Authorization: Bearer`; @FILE reads it from a file, @- from standard
    /// input.
    #[arg(long)]
    token: Option<String>,
    /// The request's body, for token endpoints; @FILE reads it from a file, @- from standard
    /// input. Its `content-type` is a header like others (-H).
    #[arg(short, long)]
    data: Option<String>,
    /// When the request comes, in RFC 3339. Default: now.
    #[arg(long, value_name = "TIME", value_parser = document::Timestamp::from_str)]
    at: Option<document::Timestamp>,
    /// The caller's address as the proxy sees it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    source: std::net::IpAddr,
    /// The key set that a URL answers.
    #[arg(long, value_name = "URL=ANSWER", value_parser = answers::pair)]
    jwks: Vec<(String, answers::Given)>,
    /// What the token endpoint of `tokens.NAME` answers.
    #[arg(long, value_name = "NAME=ANSWER", value_parser = answers::pair)]
    exchange: Vec<(String, answers::Given)>,
    /// What the look-up of `authenticators.NAME` answers.
    #[arg(long, value_name = "NAME=ANSWER", value_parser = answers::pair)]
    lookup: Vec<(String, answers::Given)>,
    /// Send the request this often, and tell of the last one: for limits.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    repeat: u32,
    #[command(flatten)]
    environment: Environment,
    /// The policy is inside an Envoy configuration, with its VM's environment variables.
    #[arg(long)]
    envoy: bool,
    /// Print JSON for other programs.
    #[arg(long)]
    json: bool,
}

impl Explain {
    /// Judges the request and tells the story.
    pub fn run(&self) -> Outcome {
        let mut variables = self.environment.variables()?;
        let mut bytes = read(&self.policy)?;
        if self.envoy {
            let plugin = envoy::only_plugin(&bytes)
                .map_err(|error| format!("{}: {error}", shown(&self.policy)))?;
            variables = plugin.environment(&variables);
            bytes = plugin.policy;
        }
        let told = |problems: Vec<document::Problem>| {
            let lines = problems
                .iter()
                .map(|problem| format!("{}: {problem}", shown(&self.policy)));
            let lines: Vec<String> = lines.collect();
            format!("the policy would not load\n{}", lines.join("\n"))
        };
        let policy = policy::load(&bytes, &|name| variables.get(name)).map_err(told)?;
        let names = Names::read(&document::read(&bytes).map_err(told)?);
        let answers = Answers::new(&policy, &names, &self.jwks, &self.exchange, &self.lookup)?;
        let request = request::build(self)?;
        let body = request::body(self.data.as_deref())?;
        let engine = started(policy, answers, self.now()?);
        let mut verdict = None;
        for _ in 0..self.repeat {
            verdict = Some(decide(&engine, request.clone(), &body)?);
        }
        let verdict = verdict.ok_or("no request was made")?;
        let code = match verdict {
            Verdict::Forward(_) | Verdict::Answer(_) => ExitCode::SUCCESS,
            Verdict::Refuse(_) => ExitCode::from(1),
        };
        let gateway = engine.gateway();
        let story = gateway.host.story();
        let report = Report::new(&gateway.policy, &names, &request, &verdict, &story);
        match self.json {
            true => print_json(&report.to_json(), code),
            false => print(&report.to_text(), code),
        }
    }

    fn now(&self) -> Result<Duration, String> {
        match self.at {
            Some(time) => u64::try_from(time.unix_seconds)
                .map(Duration::from_secs)
                .map_err(|_| "--at: the time lies before 1970".to_owned()),
            None => Ok(std::time::UNIX_EPOCH.elapsed().unwrap_or_default()),
        }
    }
}

/// An engine as a request finds it: the first tick, which fetches key sets, is long over.
fn started(policy: policy::Policy, answers: Answers, now: Duration) -> Engine<ExplainHost> {
    let host = ExplainHost::new(now.saturating_sub(STARTED), answers);
    let engine = Engine::new(host, policy);
    engine.tick();
    engine.turn();
    let host = &engine.gateway().host;
    while let Some((call, answer)) = host.take_answer() {
        engine.answer(call, answer);
        engine.turn();
    }
    host.begin(now);
    engine
}

/// Runs the engine as the filter does, until the verdict stands.
fn decide(
    engine: &Engine<ExplainHost>,
    request: doorward_core::http::Request,
    body: &[u8],
) -> Result<Verdict, String> {
    const ID: u32 = 1;
    let decision = match engine.decide(ID, request) {
        Decision::NeedsBody => engine.body_whole(ID, body.to_vec()),
        decision => decision,
    };
    match decision {
        Decision::Now(verdict) => return Ok(verdict),
        Decision::Later | Decision::NeedsBody => {}
    }
    let host = &engine.gateway().host;
    for _ in 0..MAX_TICKS {
        if let Some((_, verdict)) = engine.turn().into_iter().next() {
            return Ok(verdict);
        }
        match host.take_answer() {
            Some((call, answer)) => engine.answer(call, answer),
            None => {
                host.turn_clock(TICK);
                engine.tick();
            }
        }
    }
    Err("the request waits for something that never comes".to_owned())
}
