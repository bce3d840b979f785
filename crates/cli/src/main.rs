//! `doorward`: the policy on the command line, judged by the filter's own code.

mod check;
mod hash_key;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Doorward's policies on the command line.
#[derive(Debug, Parser)]
#[command(name = "doorward", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    HashKey(hash_key::HashKey),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Check(check) => check.run(),
        Command::HashKey(hash_key) => hash_key.run(),
    }
}
