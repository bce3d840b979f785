//! What commands read: policies, keys, and the environment that a policy names.

use clap::Args;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How a command ends: with an exit code, or with the reason why it could not do its work.
pub type Outcome = Result<std::process::ExitCode, String>;

/// The longest input that is read, in bytes: an Envoy configuration may hold more than the
/// policy, but nothing sensible is longer than this.
const MAX_INPUT: u64 = 64 * 1024 * 1024;

/// Where `${NAME}` in a policy comes from.
#[derive(Debug, Default, Args)]
pub struct Environment {
    /// A variable that the proxy's VM will have; best for what is no secret, since other
    /// users of this machine can see arguments.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// A file with a NAME=VALUE on each line; empty lines and lines with # are left out.
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
}

/// The variables that were given; the process' own come last.
#[derive(Default)]
pub struct Variables(BTreeMap<String, String>);

impl Environment {
    /// Reads the files.
    pub fn variables(&self) -> Result<Variables, String> {
        let mut variables = BTreeMap::new();
        for file in &self.env_file {
            let text = read_text(file)?;
            for (number, line) in text.lines().enumerate() {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                // The line may be a secret: only its place is told.
                let (name, value) = variable(line)
                    .map_err(|error| format!("{}:{}: {error}", file.display(), number + 1))?;
                variables.insert(name, value);
            }
        }
        variables.extend(self.env.iter().cloned());
        Ok(Variables(variables))
    }
}

impl Variables {
    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<String> {
        let given = self.0.get(name).cloned();
        given.or_else(|| std::env::var(name).ok())
    }

    /// These and some more, which hold first.
    pub fn with(&self, more: impl IntoIterator<Item = (String, String)>) -> Variables {
        let mut all = self.0.clone();
        all.extend(more);
        Variables(all)
    }
}

/// `NAME=VALUE`.
pub fn variable(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected NAME=VALUE".to_owned())
}

/// Reads a file, or standard input where the path is `-`.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", shown(path));
    let mut bytes = Vec::new();
    let length = if path.as_os_str() == "-" {
        let input = std::io::stdin().lock();
        input.take(MAX_INPUT + 1).read_to_end(&mut bytes)
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MAX_INPUT + 1).read_to_end(&mut bytes)
    };
    match length.map_err(failed)? as u64 {
        0..=MAX_INPUT => Ok(bytes),
        _ => Err(format!("{}: longer than {MAX_INPUT} bytes", shown(path))),
    }
}

/// Reads a file as text.
pub fn read_text(path: &Path) -> Result<String, String> {
    String::from_utf8(read(path)?).map_err(|_| format!("{}: this is not UTF-8", shown(path)))
}

/// Reads the first line of standard input: keys and secrets come this way, so that they stay
/// out of the shell's history and the list of processes.
pub fn read_secret_line() -> Result<String, String> {
    let text = read_text(Path::new("-"))?;
    let line = text.lines().next().unwrap_or_default();
    match line.is_empty() {
        true => Err("standard input is empty: give the secret as its first line".to_owned()),
        false => Ok(line.to_owned()),
    }
}

/// How a path is shown.
pub fn shown(path: &Path) -> String {
    match path.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}
