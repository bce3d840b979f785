//! `doorward new-key`.

use crate::hash_key::sha256_hex;
use crate::input::Outcome;
use crate::output::{print, print_json};
use crate::random::alphanumeric;
use clap::Args;
use doorward_core::credentials::key_shape::{RANDOM_LENGTH, with_checksum};
use serde_json::json;
use std::process::ExitCode;

/// The longest prefix: a key stands in a header.
const MAX_PREFIX: usize = 64;

/// Make an API key: the prefix, 256 random bits, and a checksum.
///
/// The key is shown once, here; the policy holds its SHA-256 alone. Give its owner the key,
/// and put the printed lines under the client's `api_keys`. Where the authenticator has this
/// `prefix`, the filter tells a mistyped key by its checksum.
#[derive(Debug, Args)]
pub struct NewKey {
    /// What the key begins with: it tells people and scanners whose key this is.
    #[arg(long, default_value = "ak_", value_parser = prefix)]
    prefix: String,
    /// The key's name in the policy and in logs.
    #[arg(long)]
    id: Option<String>,
    /// When the key ends, for instance 2027-06-30T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires: Option<String>,
    /// Print JSON: key, sha256.
    #[arg(long)]
    json: bool,
}

impl NewKey {
    /// Makes a key and prints it with what the policy needs.
    pub fn run(&self) -> Outcome {
        let key = with_checksum(&self.prefix, &alphanumeric(RANDOM_LENGTH)?);
        let sha256 = sha256_hex(&key);
        if self.json {
            let mut object = json!({"key": key, "sha256": sha256});
            for (name, value) in [("id", &self.id), ("expires", &self.expires)] {
                if let (Some(value), Some(object)) = (value, object.as_object_mut()) {
                    object.insert(name.to_owned(), value.as_str().into());
                }
            }
            return print_json(&object, ExitCode::SUCCESS);
        }
        // JSON's strings are YAML's, so that no id can break the document.
        let id = self.id.as_ref().map(|id| format!("id: {}, ", json!(id)));
        let expires = self.expires.as_ref().map(|end| format!(", expires: {end}"));
        let text = format!(
            "key, for its owner; it is not shown again:\n  {key}\n\nfor the client's api_keys in the policy:\n  - {{{}sha256: {sha256}{}}}\n",
            id.unwrap_or_default(),
            expires.unwrap_or_default(),
        );
        print(&text, ExitCode::SUCCESS)
    }
}

fn prefix(text: &str) -> Result<String, String> {
    let plain = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-');
    match text.len() <= MAX_PREFIX && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "a prefix is at most {MAX_PREFIX} letters, digits, `_` and `-`, as in ak_live_"
        )),
    }
}

fn time(text: &str) -> Result<String, String> {
    text.parse::<doorward_core::policy::document::Timestamp>()?;
    Ok(text.to_owned())
}
