//! The benchmark's native half.
//!
//! - `mint <algorithm> <count>`: prints that many different tokens, one a line. The key is read from
//!   standard input: PKCS#8 in PEM, or for HS256 the secret as it is.
//! - `authorize`: an external authorization server on a free port, which it prints. Standard input gives it
//!   the public point of ES256 tokens, and then the SHA-256 of each API key, a line each, in hex.

mod authorize;
mod mint;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["mint", algorithm, count] => mint::run(algorithm, count.parse()?),
        ["authorize"] => authorize::run(),
        _ => bail!("usage: mint <algorithm> <count> | authorize"),
    }
}
