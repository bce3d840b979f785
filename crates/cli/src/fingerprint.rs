//! `doorward fingerprint`.

use crate::hash_key::hex;
use crate::input::Outcome;
use crate::keys::{openssh, read_keys};
use crate::output::{print, print_json};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use clap::Args;
use doorward_core::jose::Key;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::process::ExitCode;

/// Print the fingerprints of public keys, by which people compare them.
///
/// The same key has the same fingerprints in whatever file it is: PEM, certificate or JWK.
#[derive(Debug, Args)]
pub struct Fingerprint {
    /// PEM (PUBLIC KEY or CERTIFICATE), a JWK or a JWKS; `-` is standard input.
    #[arg(default_value = "-", value_name = "FILE")]
    file: PathBuf,
    /// Print JSON: a list with thumbprint, spki_sha256_hex, spki_sha256_base64 and openssh.
    #[arg(long)]
    json: bool,
}

impl Fingerprint {
    /// Prints the fingerprints of every key in the file.
    pub fn run(&self) -> Outcome {
        let keys = read_keys(&self.file)?;
        let prints = keys.iter().map(fingerprints).collect::<Option<Vec<_>>>();
        let prints =
            prints.ok_or("a shared secret has no fingerprint: it would help to guess it")?;
        if self.json {
            let prints = prints.iter().map(|print| {
                let members = print.iter();
                let members = members.map(|(name, _, value)| ((*name).to_owned(), json!(value)));
                Value::Object(members.collect())
            });
            return print_json(&prints.collect(), ExitCode::SUCCESS);
        }
        let mut text = String::new();
        for (number, print) in prints.iter().enumerate() {
            if number > 0 {
                text.push('\n');
            }
            for (_, label, value) in print {
                text += &format!("{label:<22}{value}\n");
            }
        }
        print(&text, ExitCode::SUCCESS)
    }
}

/// Names, labels and values.
fn fingerprints(key: &Key) -> Option<[(&'static str, &'static str, String); 4]> {
    let spki = Sha256::digest(key.to_spki()?);
    let openssh = Sha256::digest(openssh(&key.to_jwk()?)?);
    Some([
        ("thumbprint", "RFC 7638 thumbprint", key.thumbprint()),
        ("spki_sha256_hex", "SPKI SHA-256, hex", hex(&spki)),
        (
            "spki_sha256_base64",
            "SPKI SHA-256, base64",
            STANDARD.encode(spki),
        ),
        (
            "openssh",
            "OpenSSH",
            format!("SHA256:{}", STANDARD_NO_PAD.encode(openssh)),
        ),
    ])
}
