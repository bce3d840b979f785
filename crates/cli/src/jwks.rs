//! `doorward jwks`.

use crate::input::{Outcome, shown};
use crate::keys::read_keys;
use crate::output::print_json;
use clap::Args;
use doorward_core::jose::Algorithm;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Print a JSON Web Key Set of public keys.
///
/// Each key's `kid` is its RFC 7638 thumbprint unless the key names another. What is no
/// public key that the gateway would take is an error.
#[derive(Debug, Args)]
pub struct Jwks {
    /// PEM (PUBLIC KEY or CERTIFICATE), JWKs or JWKSs; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The `kid`, where there is one key.
    #[arg(long)]
    kid: Option<String>,
    /// Binds the keys to an algorithm (`alg`).
    #[arg(long, value_name = "ALGORITHM", value_parser = algorithm)]
    algorithm: Option<Algorithm>,
}

impl Jwks {
    /// Prints the set.
    pub fn run(&self) -> Outcome {
        let mut set: Vec<Value> = Vec::new();
        for file in &self.files {
            let at = |error: String| format!("{}: {error}", shown(file));
            for key in read_keys(file)? {
                let key = match self.algorithm {
                    Some(algorithm) => key
                        .with_algorithm(algorithm)
                        .map_err(|error| at(error.to_string()))?,
                    None => key,
                };
                let mut jwk = key
                    .to_jwk()
                    .ok_or_else(|| at("a shared secret must never be published".to_owned()))?;
                let kid = match (&self.kid, key.kid()) {
                    (Some(kid), _) => kid.clone(),
                    (None, Some(kid)) => kid.to_owned(),
                    (None, None) => key.thumbprint(),
                };
                if let Some(jwk) = jwk.as_object_mut() {
                    jwk.insert("kid".to_owned(), kid.into());
                    jwk.insert("use".to_owned(), "sig".into());
                    if let Some(algorithm) = key.algorithm() {
                        jwk.insert("alg".to_owned(), algorithm.name().into());
                    }
                }
                set.push(jwk);
            }
        }
        if self.kid.is_some() && set.len() > 1 {
            return Err(format!(
                "--kid names one key, and there are {}: leave it out",
                set.len()
            ));
        }
        print_json(&json!({"keys": set}), ExitCode::SUCCESS)
    }
}

/// An algorithm by its name in RFC 7518.
pub fn algorithm(text: &str) -> Result<Algorithm, String> {
    text.parse().map_err(|_| {
        let names: Vec<&str> = Algorithm::ALL.into_iter().map(Algorithm::name).collect();
        format!("expected one of {}", names.join(", "))
    })
}
