//! `doorward new-client`.

use crate::hash_key::sha256_hex;
use crate::input::Outcome;
use crate::output::{print, print_json};
use crate::random::alphanumeric;
use clap::Args;
use doorward_core::credentials::key_shape::RANDOM_LENGTH;
use serde_json::json;
use std::process::ExitCode;

/// Make a client: an id, a secret, and the lines for the policy.
///
/// The secret is shown once, here. The policy holds its SHA-256, unless --signs says that
/// the client signs tokens with it; then the gateway needs the secret itself, and gets it
/// from its environment.
#[derive(Debug, Args)]
pub struct NewClient {
    /// The client's id; left out, one is made.
    #[arg(long)]
    id: Option<String>,
    /// The tenant that it belongs to.
    #[arg(long)]
    tenant: Option<String>,
    /// What it may do; may be given more than once.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The client signs tokens with its secret (HS256): the policy names an environment
    /// variable.
    #[arg(long, value_name = "VARIABLE", value_parser = variable_name)]
    signs: Option<String>,
    /// Print JSON: id, secret, sha256.
    #[arg(long)]
    json: bool,
}

impl NewClient {
    /// Makes a client and prints it with what the policy needs.
    pub fn run(&self) -> Outcome {
        let id = match &self.id {
            Some(id) => id.clone(),
            None => format!("c-{}", alphanumeric(16)?),
        };
        let secret = alphanumeric(RANDOM_LENGTH)?;
        let sha256 = sha256_hex(&secret);
        if self.json {
            let object = json!({"id": id, "secret": secret, "sha256": sha256});
            return print_json(&object, ExitCode::SUCCESS);
        }
        // JSON's strings are YAML's, so that no name can break the document.
        let mut policy = format!("  - id: {}\n", json!(id));
        if let Some(tenant) = &self.tenant {
            policy += &format!("    tenant: {}\n", json!(tenant));
        }
        if !self.scopes.is_empty() {
            policy += &format!("    scopes: {}\n", json!(self.scopes));
        }
        let variable = match &self.signs {
            Some(name) => {
                policy += &format!("    secrets: [{{value: \"${{{name}}}\"}}]\n");
                format!("\nfor the environment of the proxy's VM:\n  {name}={secret}\n")
            }
            None => {
                policy += &format!("    secrets: [{{sha256: {sha256}}}]\n");
                String::new()
            }
        };
        let text = format!(
            "for the client; the secret is not shown again:\n  id:     {id}\n  secret: {secret}\n{variable}\nfor `clients` in the policy:\n{policy}"
        );
        print(&text, ExitCode::SUCCESS)
    }
}

fn variable_name(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    match text.chars().all(plain) && text.starts_with(|first: char| !first.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("a variable's name has letters, digits and `_`, as in S7_SECRET".to_owned()),
    }
}
