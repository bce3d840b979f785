//! `doorward explain`.

mod answers;
mod names;
mod report;
mod words;

use crate::envoy;
use crate::input::{Environment, Outcome, read, read_text, shown};
use crate::offline::{Line, decide, header, request, started};
use crate::output::{print, print_json};
use answers::Answers;
use clap::Args;
use doorward_core::http::Verdict;
use doorward_core::policy::{self, document};
use names::Names;
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

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
    #[arg(short, long, value_name = "METHOD TARGET", value_parser = Line::from_str)]
    request: Line,
    /// A header; may be given more than once.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// A header whose value is the whole of a file, for credentials: NAME: @FILE.
    #[arg(long, value_name = "NAME: FILE", value_parser = header)]
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
        let request = request(&self.request, self.all_headers()?, self.source);
        let body = self.body()?;
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

    /// The headers, those from files and the token included.
    fn all_headers(&self) -> Result<Vec<(String, String)>, String> {
        let mut headers = self.headers.clone();
        for (name, file) in &self.header_file {
            let file = file.strip_prefix('@').unwrap_or(file);
            headers.push((name.clone(), secret(file)?));
        }
        if let Some(token) = &self.token {
            let token = match token.strip_prefix('@') {
                Some(file) => secret(file)?,
                None => token.clone(),
            };
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        Ok(headers)
    }

    /// The body: a text, or the bytes of a file behind `@`.
    fn body(&self) -> Result<Vec<u8>, String> {
        match &self.data {
            None => Ok(Vec::new()),
            Some(data) => match data.strip_prefix('@') {
                Some(file) => read(Path::new(file)),
                None => Ok(data.as_bytes().to_vec()),
            },
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

/// A file's text without the space around it.
fn secret(file: &str) -> Result<String, String> {
    Ok(read_text(Path::new(file))?.trim().to_owned())
}
