//! What is sent: files of requests for `bench/load.lua`, kept in `target/bench` from run to run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::jwt::Key;
use crate::{paths, process};

/// Different tokens of each kind: more than a cache for tokens in use should hold.
pub const TOKENS: usize = 20_000;
/// Tokens that come again and again.
pub const REPEATED: usize = 50;
/// Callers' pairs.
pub const PAIRS: usize = 10_000;
/// The most API keys that a policy has here.
pub const MOST_KEYS: usize = 100_000;
/// The secret of the HS256 tokens.
pub const SECRET: &str = "a secret of the benchmark, which guards nothing";

const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Builds the benchmark's native half and gives its path.
pub fn native() -> Result<PathBuf> {
    process::progress("building the benchmark's native half");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(paths::root())
        .args(["build", "--quiet", "--package", "doorward-bench-native"])
        .args(["--profile", "native"])
        .env("CARGO_TARGET_DIR", paths::root().join("target"));
    process::run(&mut command, PATIENCE)?;
    Ok(paths::root().join("target/native/doorward-bench-native"))
}

/// The API key of this number.
pub fn api_key(number: usize) -> String {
    format!(
        "ak_bench_{number:08}_{:08x}",
        number.wrapping_mul(0x9e37_79b9) as u32
    )
}

/// The pair of this number: id and secret.
pub fn pair(number: usize) -> (String, String) {
    (
        format!("client-{number:05}"),
        format!("secret-of-client-{number:05}"),
    )
}

/// Files of requests, made where they aren't there yet.
pub struct Inputs {
    directory: PathBuf,
}

impl Inputs {
    /// Makes all of them.
    pub fn prepare(native: &Path) -> Result<Self> {
        let inputs = Self {
            directory: paths::target("bench")?,
        };
        for (algorithm, key) in [
            ("ES256", Key::A.es256_pem()),
            ("RS256", Key::A.rs256_pem()),
            ("HS256", SECRET),
        ] {
            let tokens = inputs.tokens(native, algorithm, key)?;
            let name = algorithm.to_lowercase();
            inputs.write(
                &format!("{name}-new"),
                tokens.iter().map(|token| bearer(token)),
            )?;
            let repeated = tokens.iter().take(REPEATED);
            inputs.write(
                &format!("{name}-again"),
                repeated.map(|token| bearer(token)),
            )?;
            let forged = tokens
                .iter()
                .map(|token| bearer(&with_another_signature(token)));
            inputs.write(&format!("{name}-forged"), forged)?;
            let unknown = (0..)
                .zip(&tokens)
                .map(|(n, token)| bearer(&with_kid(token, n)));
            inputs.write(&format!("{name}-kid"), unknown)?;
        }
        inputs.write("plain", ["/".to_owned()].into_iter())?;
        let garbage = (0..TOKENS).map(|n| bearer(&format!("garbage.{n}.of no meaning")));
        inputs.write("garbage", garbage)?;
        for keys in [100, 1_000, MOST_KEYS] {
            let step = (keys / TOKENS).max(1);
            let sent = (0..keys.min(TOKENS)).map(|n| keyed("/", &api_key(n * step)));
            inputs.write(&format!("keys-{keys}"), sent)?;
        }
        let unknown = (0..TOKENS).map(|n| keyed("/", &api_key(MOST_KEYS + n)));
        inputs.write("keys-unknown", unknown)?;
        for rules in [5, 5_000] {
            let path = format!("/service-{}/orders", rules - 1);
            let sent = (0..100).map(|n| keyed(&path, &api_key(n)));
            inputs.write(&format!("rules-{rules}"), sent)?;
        }
        let pairs = (0..PAIRS).map(|n| {
            let (id, secret) = pair(n);
            format!("/\tx-client-id: {id}\tx-client-secret: {secret}")
        });
        inputs.write("pairs", pairs)?;
        Ok(inputs)
    }

    /// The file of this name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.requests"))
    }

    fn write(&self, name: &str, lines: impl Iterator<Item = String>) -> Result<()> {
        let mut text = lines.collect::<Vec<_>>().join("\n");
        text.push('\n');
        std::fs::write(self.path(name), text).with_context(|| format!("writing requests: {name}"))
    }

    /// [`TOKENS`] tokens, minted once: RS256 takes a while.
    fn tokens(&self, native: &Path, algorithm: &str, key: &str) -> Result<Vec<String>> {
        let path = self.directory.join(format!("{algorithm}.tokens"));
        if !path.exists() {
            process::progress(&format!("minting {TOKENS} tokens by {algorithm}"));
            let mut child = Command::new(native)
                .args(["mint", algorithm, &TOKENS.to_string()])
                .stdin(Stdio::piped())
                .stdout(std::fs::File::create(&path)?)
                .spawn()?;
            child
                .stdin
                .take()
                .context("the minting process has no input")?
                .write_all(key.as_bytes())?;
            let ended = process::wait(&mut child, PATIENCE)?;
            if !ended.success() {
                std::fs::remove_file(&path)?;
            }
            ensure!(ended.success(), "minting {algorithm} tokens: {ended}");
        }
        let tokens = std::fs::read_to_string(&path)?;
        let tokens: Vec<_> = tokens.lines().map(str::to_owned).collect();
        ensure!(
            tokens.len() == TOKENS,
            "{}: {} tokens instead of {TOKENS}; remove the file and run again",
            path.display(),
            tokens.len()
        );
        Ok(tokens)
    }
}

fn bearer(token: &str) -> String {
    format!("/\tauthorization: Bearer {token}")
}

fn keyed(path: &str, key: &str) -> String {
    format!("{path}\tx-api-key: {key}")
}

/// The same token with a signature of the right form that is not its own.
fn with_another_signature(token: &str) -> String {
    let Some((text, signature)) = token.rsplit_once('.') else {
        return token.to_owned();
    };
    let (first, rest) = signature.split_at(signature.len() / 2);
    let other = if rest.starts_with('A') { "B" } else { "A" };
    format!("{text}.{first}{other}{}", rest.get(1..).unwrap_or_default())
}

/// The same token naming a key that nobody has.
fn with_kid(token: &str, number: usize) -> String {
    let mut parts = token.splitn(2, '.');
    let header = parts
        .next()
        .and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header: Option<serde_json::Value> =
        header.and_then(|header| serde_json::from_slice(&header).ok());
    let mut header = header.unwrap_or_default();
    if let Some(header) = header.as_object_mut() {
        header.insert("kid".to_owned(), json!(format!("unknown-{number}")));
    }
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        parts.next().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_token_differs_in_its_signature_alone() {
        let token = "aaaa.bbbb.AAAAAAAA";
        assert_eq!(with_another_signature(token), "aaaa.bbbb.AAAABAAA");
    }

    #[test]
    fn an_unknown_kid_is_the_only_change_of_the_header() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"a"}"#);
        let changed = with_kid(&format!("{header}.b.c"), 7);
        let (header, rest) = changed.split_once('.').unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.decode(header).unwrap(),
            br#"{"alg":"ES256","kid":"unknown-7"}"#
        );
        assert_eq!(rest, "b.c");
    }
}
