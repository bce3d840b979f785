//! `doorward check`.

use clap::Args;
use doorward_core::policy;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check policies: exit 0 where all of them would load, 1 where one would not, 2 where one
/// can't be read.
///
/// `${NAME}` in a policy is taken from --env, then from the environment files, then from
/// this command's own environment.
#[derive(Debug, Args)]
pub struct Check {
    /// Policies in YAML or JSON.
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<PathBuf>,
    /// A variable that the proxy's VM will have.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// A file with a NAME=VALUE on each line; empty lines and lines with # are left out.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
}

impl Check {
    /// Checks every policy and tells all problems.
    pub fn run(&self) -> ExitCode {
        let mut variables = BTreeMap::new();
        for file in &self.env_file {
            match read_variables(file) {
                Ok(read) => variables.extend(read),
                Err(problem) => {
                    eprintln!("{}: {problem}", file.display());
                    return ExitCode::from(2);
                }
            }
        }
        variables.extend(self.env.iter().cloned());
        let environment = |name: &str| {
            let given = variables.get(name).cloned();
            given.or_else(|| std::env::var(name).ok())
        };
        let mut code = 0;
        for path in &self.policies {
            code = code.max(check(path, &environment));
        }
        ExitCode::from(code)
    }
}

fn check(path: &Path, environment: &dyn Fn(&str) -> Option<String>) -> u8 {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return 2;
        }
    };
    match policy::load(&bytes, environment) {
        Ok(policy) => {
            let rules = policy.rules.len();
            println!("{}: good, {rules} rule(s)", path.display());
            0
        }
        Err(problems) => {
            for problem in &problems {
                eprintln!("{}: {problem}", path.display());
            }
            eprintln!("{}: {} problem(s)", path.display(), problems.len());
            1
        }
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected NAME=VALUE".to_owned())
}

fn read_variables(file: &Path) -> Result<Vec<(String, String)>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(variable)
        .collect()
}
