//! `doorward hash-key`.

use crate::input::{Outcome, read_secret_line};
use crate::output::print;
use clap::Args;
use sha2::{Digest, Sha256};
use std::process::ExitCode;

/// Print the SHA-256 under which a key or secret stands in a policy.
///
/// It is read from standard input, one line, so that it stays out of the shell's history.
#[derive(Debug, Args)]
pub struct HashKey {}

impl HashKey {
    /// Reads a line and prints its digest in hex.
    pub fn run(&self) -> Outcome {
        let digest = sha256_hex(&read_secret_line()?);
        print(&format!("{digest}\n"), ExitCode::SUCCESS)
    }
}

/// The SHA-256 of a text, in hex.
pub fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// Bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
