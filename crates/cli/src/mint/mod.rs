//! `doorward mint`.

mod private_key;
mod settings;

use crate::input::{Environment, Outcome, Variables, read};
use crate::jwks::algorithm;
use crate::output::print;
use clap::Args;
use doorward_core::jose::Algorithm;
use doorward_core::policy::document::{self, Duration};
use private_key::Signer;
use serde_json::{Map, Value};
use settings::Settings;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

/// Sign a test token.
///
/// With --policy the token is made for one of its jwt authenticators: issuer, audience and
/// demanded claims are filled in, and the policy's own HS secret signs it. With --key a
/// private key signs. --claims goes over what is filled in; null takes a claim away.
#[derive(Debug, Args)]
pub struct Mint {
    /// The policy whose authenticator the token is for.
    #[arg(
        long,
        value_name = "POLICY",
        required_unless_present = "key",
        requires = "authenticator"
    )]
    policy: Option<PathBuf>,
    /// The jwt authenticator in it.
    #[arg(long, value_name = "NAME", requires = "policy")]
    authenticator: Option<String>,
    /// The client whose secret signs, where the authenticator's keys are its clients'.
    #[arg(long, value_name = "ID", requires = "policy")]
    client: Option<String>,
    /// A private key in PEM (PKCS#8) or as a JWK; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Default: what the key is for; HS256 for secrets, RS256 for RSA.
    #[arg(long, value_name = "ALGORITHM", value_parser = algorithm)]
    algorithm: Option<Algorithm>,
    /// More claims: a JSON object, or @FILE.
    #[arg(long, value_name = "JSON")]
    claims: Option<String>,
    /// How long the token lives.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = Duration::from_str)]
    expires: Duration,
    /// The header's `kid`. Default: the key's own.
    #[arg(long)]
    kid: Option<String>,
    /// The header's `typ`. Default: what the authenticator demands.
    #[arg(long)]
    typ: Option<String>,
    /// When the token begins, in RFC 3339. Default: now.
    #[arg(long, value_name = "TIME", value_parser = document::Timestamp::from_str)]
    at: Option<document::Timestamp>,
    #[command(flatten)]
    environment: Environment,
}

impl Mint {
    /// Signs and prints.
    pub fn run(&self) -> Outcome {
        let settings = match (&self.policy, &self.authenticator) {
            (Some(policy), Some(authenticator)) => {
                let variables = self.environment.variables()?;
                Settings::read(policy, &variables, authenticator)?
            }
            _ => Settings::default(),
        };
        let signer = match &self.key {
            Some(file) => Signer::read(file)?,
            None => settings.secret(self.client.as_deref())?,
        };
        let mut header = signer.header(self.algorithm.or(settings.algorithm()))?;
        if let Some(kid) = &self.kid {
            header.kid = Some(kid.clone());
        }
        if let Some(typ) = self.typ.as_ref().or(settings.typ.as_ref()) {
            header.typ = Some(typ.clone());
        }
        let now = self.at.map_or_else(now, |time| time.unix_seconds);
        let lifetime = i64::try_from(self.expires.0.as_secs()).unwrap_or(i64::MAX);
        let mut claims = settings.claims;
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), now.saturating_add(lifetime).into());
        for (name, value) in self.own_claims()? {
            match value {
                Value::Null => claims.remove(&name),
                value => claims.insert(name, value),
            };
        }
        let token = jsonwebtoken::encode(&header, &claims, &signer.key)
            .map_err(|error| format!("the token can't be signed: {error}"))?;
        print(&format!("{token}\n"), ExitCode::SUCCESS)
    }

    fn own_claims(&self) -> Result<Map<String, Value>, String> {
        let Some(text) = &self.claims else {
            return Ok(Map::new());
        };
        let bytes = match text.strip_prefix('@') {
            Some(file) => read(Path::new(file))?,
            None => text.clone().into_bytes(),
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| format!("--claims: expected a JSON object: {error}"))
    }
}

fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The policy as JSON, variables replaced.
fn policy_json(path: &Path, variables: &Variables) -> Result<Value, String> {
    let told = |problems: Vec<document::Problem>| {
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        format!("{}: {}", crate::input::shown(path), texts.join("\n"))
    };
    let bytes = read(path)?;
    let environment = |name: &str| variables.get(name);
    doorward_core::policy::load(&bytes, &environment).map_err(told)?;
    let node = document::read(&bytes).map_err(told)?;
    // Expressions hold no variables, so replacing everywhere replaces no more than the
    // gateway does, but for a literal `${` in one: that policy can't be minted from.
    let json: document::Json = document::decode(&node, &environment).map_err(told)?;
    Ok(json.into_value())
}
