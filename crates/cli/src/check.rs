//! `doorward check`.

use crate::envoy;
use crate::input::{Environment, Outcome, Variables, read, shown};
use crate::output::{print, print_json};
use clap::Args;
use doorward_core::policy::{self, document::Problem};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check policies: exit 0 where all of them would load, 1 where one would not, 2 where one
/// can't be read.
///
/// `${NAME}` in a policy is taken from --env, then from the environment files, then from
/// this command's own environment.
#[derive(Debug, Args)]
pub struct Check {
    /// Policies in YAML or JSON; `-` is standard input.
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<PathBuf>,
    #[command(flatten)]
    environment: Environment,
    /// The files are Envoy configurations: check every Doorward policy inside, with the
    /// environment variables that its VM has there.
    #[arg(long)]
    envoy: bool,
    /// Print JSON: for each policy its name, whether it would load, and its problems with
    /// path, line, column and message.
    #[arg(long)]
    json: bool,
}

/// One policy's result.
struct Report {
    name: String,
    /// The number of rules, or what is wrong.
    outcome: Result<usize, Vec<Problem>>,
}

impl Check {
    /// Checks every policy and tells all problems.
    pub fn run(&self) -> Outcome {
        let variables = self.environment.variables()?;
        let mut reports = Vec::new();
        let mut unreadable = Vec::new();
        for path in &self.policies {
            match self.check(path, &variables) {
                Ok(found) => reports.extend(found),
                Err(problem) => unreadable.push(problem),
            }
        }
        for problem in &unreadable {
            eprintln!("doorward: {problem}");
        }
        let bad = reports.iter().any(|report| report.outcome.is_err());
        let code = match (unreadable.is_empty(), bad) {
            (false, _) => ExitCode::from(2),
            (true, true) => ExitCode::from(1),
            (true, false) => ExitCode::SUCCESS,
        };
        if self.json {
            let policies: Vec<Value> = reports.iter().map(Report::to_json).collect();
            return print_json(
                &json!({"policies": policies, "unreadable": unreadable}),
                code,
            );
        }
        let mut good = String::new();
        for Report { name, outcome } in &reports {
            match outcome {
                Ok(rules) => good += &format!("{name}: good, {rules} rule(s)\n"),
                Err(problems) => {
                    for problem in problems {
                        eprintln!("{name}: {problem}");
                    }
                    eprintln!("{name}: {} problem(s)", problems.len());
                }
            }
        }
        print(&good, code)
    }

    fn check(&self, path: &Path, variables: &Variables) -> Result<Vec<Report>, String> {
        let bytes = read(path)?;
        let name = shown(path);
        if !self.envoy {
            return Ok(vec![Report {
                outcome: load(&bytes, variables),
                name,
            }]);
        }
        let plugins = envoy::plugins(&bytes).map_err(|error| format!("{name}: {error}"))?;
        let reports = plugins.into_iter().map(|plugin| Report {
            name: format!("{name}: {}", plugin.name),
            outcome: load(&plugin.policy, &plugin.environment(variables)),
        });
        Ok(reports.collect())
    }
}

fn load(bytes: &[u8], variables: &Variables) -> Result<usize, Vec<Problem>> {
    policy::load(bytes, &|name| variables.get(name)).map(|policy| policy.rules.len())
}

impl Report {
    fn to_json(&self) -> Value {
        let problems = self.outcome.as_ref().err().map(Vec::as_slice);
        let problems: Vec<Value> = problems.unwrap_or_default().iter().map(problem).collect();
        json!({
            "policy": self.name,
            "good": self.outcome.is_ok(),
            "rules": self.outcome.as_ref().ok(),
            "problems": problems,
        })
    }
}

fn problem(problem: &Problem) -> Value {
    json!({
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
    })
}
