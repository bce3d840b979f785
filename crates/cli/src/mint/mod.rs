//! `doorward mint`.

mod private_key;
mod settings;
mod token;

pub use private_key::Signer;
pub use settings::Settings;
pub use token::Token;

use crate::input::{Environment, Outcome, Variables, read, shown};
use crate::jwks::algorithm;
use crate::output::print;
use clap::Args;
use doorward_core::jose::Algorithm;
use doorward_core::policy::document::{self, Duration};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

/// Sign a test token.
///
/// With --policy the token is made for one of its jwt authenticators: issuer, audience and
/// demanded claims are filled in, and the policy's own key signs it: an HS secret, or the first
/// key of a token that the gateway signs itself. With --key a private key signs. --claims goes over what is filled in; null takes a claim away.
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
        let mut settings = match (&self.policy, &self.authenticator) {
            (Some(policy), Some(authenticator)) => {
                let variables = self.environment.variables()?;
                Settings::of(&read(policy)?, &variables, authenticator)
                    .map_err(|error| format!("{}: {error}", shown(policy)))?
            }
            _ => Settings::default(),
        };
        let signer = match &self.key {
            Some(file) => Signer::read(file)?,
            None => settings.signer(self.client.as_deref())?,
        };
        let token = Token {
            algorithm: self.algorithm,
            kid: self.kid.clone(),
            typ: self.typ.clone(),
            claims: self.own_claims()?,
            begins: self.at.map_or_else(now, |time| time.unix_seconds),
            lifetime: self.expires.0,
        };
        let token = token.sign(settings, &signer)?;
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
fn policy_json(bytes: &[u8], variables: &Variables) -> Result<Value, String> {
    let told = |problems: Vec<document::Problem>| {
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        texts.join("\n")
    };
    let environment = |name: &str| variables.get(name);
    doorward_core::policy::load(bytes, &environment).map_err(told)?;
    let node = document::read(bytes).map_err(told)?;
    // Expressions hold no variables, so replacing everywhere replaces no more than the
    // gateway does, but for a literal `${` in one: that policy can't be minted from.
    let json: document::Json = document::decode(&node, &environment).map_err(told)?;
    Ok(json.into_value())
}
