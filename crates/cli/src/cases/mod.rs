//! `doorward test`: cases of given, when and then, on the filter's own engine.
//!
//! Each case has an engine, a clock and servers of its own, so no case knows of another.

mod document;
mod expect;
mod kept;
mod report;
mod run;
mod servers;
mod signing;
mod steps;

use crate::envoy;
use crate::input::{Environment, Outcome, Variables, read, shown};
use crate::output::{print, print_json};
use clap::Args;
use document::Cases;
use doorward_core::policy;
use doorward_core::policy::document::Problem;
use report::Report;
use run::run;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Test a policy: send the requests of a file of cases through the filter's own code and
/// compare what comes of them with what should. Exit 0 where all cases hold, 1 where one
/// doesn't, 2 where that can't be said.
///
/// Nothing is called: other servers answer what the cases give. docs/testing.md tells how
/// cases are written.
#[derive(Debug, Args)]
pub struct Test {
    /// The policy in YAML or JSON.
    policy: PathBuf,
    /// The cases in YAML or JSON.
    cases: PathBuf,
    #[command(flatten)]
    environment: Environment,
    /// The policy is inside an Envoy configuration, with its VM's environment variables.
    #[arg(long)]
    envoy: bool,
    /// Print JSON for other programs.
    #[arg(long)]
    json: bool,
}

/// The policy that is tested.
pub struct Subject {
    /// Its text.
    pub bytes: Vec<u8>,
    /// What `${NAME}` stands for in it.
    pub variables: Variables,
}

impl Subject {
    fn read(path: &Path, variables: Variables, in_envoy: bool) -> Result<Subject, String> {
        let bytes = read(path)?;
        if !in_envoy {
            return Ok(Subject { bytes, variables });
        }
        let plugin =
            envoy::only_plugin(&bytes).map_err(|error| format!("{}: {error}", shown(path)))?;
        Ok(Subject {
            variables: plugin.environment(&variables),
            bytes: plugin.policy,
        })
    }

    /// The policy, anew for each case.
    ///
    /// # Errors
    /// Why it would not load.
    pub fn load(&self) -> Result<policy::Policy, Vec<Problem>> {
        policy::load(&self.bytes, &|name| self.variables.get(name))
    }
}

impl Test {
    /// Runs every case and tells of each.
    pub fn run(&self) -> Outcome {
        let told = |path: &Path, what: &str, problems: Vec<Problem>| {
            let lines = problems
                .iter()
                .map(|problem| format!("{}: {problem}", shown(path)));
            format!("{what}\n{}", lines.collect::<Vec<_>>().join("\n"))
        };
        let cases = Cases::read(&self.cases, self.environment.variables()?)
            .map_err(|problems| told(&self.cases, "the cases can't be run", problems))?;
        // What the cases say of the environment is for the policy, too.
        let variables = cases.environment(self.environment.variables()?);
        let subject = Subject::read(&self.policy, variables, self.envoy)?;
        subject
            .load()
            .map_err(|problems| told(&self.policy, "the policy would not load", problems))?;
        let mut report = Report::new(&self.cases);
        for case in cases
            .all(&subject)
            .map_err(|problems| told(&self.cases, "the cases can't be run", problems))?
        {
            let place = format!("{}: cases[{}]", shown(&self.cases), case.index);
            let (case, ran) = run(&subject, case).map_err(|error| format!("{place}: {error}"))?;
            report.add(&case, ran);
        }
        let code = match report.is_good() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(1),
        };
        match self.json {
            true => print_json(&report.to_json(), code),
            false => print(&report.to_text(), code),
        }
    }
}
