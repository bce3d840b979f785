//! `doorward hash-key`.

use clap::Args;
use sha2::{Digest, Sha256};
use std::io::BufRead;
use std::process::ExitCode;

/// Print the SHA-256 under which a key or secret stands in a policy.
///
/// It is read from standard input, one line, so that it stays out of the shell's history.
#[derive(Debug, Args)]
pub struct HashKey {}

impl HashKey {
    /// Reads a line and prints its digest in hex.
    pub fn run(&self) -> ExitCode {
        let mut key = String::new();
        if let Err(error) = std::io::stdin().lock().read_line(&mut key) {
            eprintln!("standard input: {error}");
            return ExitCode::from(2);
        }
        let key = key.trim_end_matches(['\r', '\n']);
        if key.is_empty() {
            eprintln!("standard input is empty: give the key as its first line");
            return ExitCode::from(2);
        }
        let digest = Sha256::digest(key);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{hex}");
        ExitCode::SUCCESS
    }
}
