//! `doorward`: the policy on the command line, judged by the filter's own code.

mod cases;
mod check;
mod completions;
mod envoy;
mod explain;
mod fingerprint;
mod hash_key;
mod input;
mod jwks;
mod keys;
mod man;
mod mint;
mod new_client;
mod new_key;
mod offline;
mod output;
mod random;
mod schema;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Write, check and try out Doorward's policies, with the code that the gateway runs.
///
/// Exit codes: 0 for yes, 1 for no (a policy would not load, a request would be refused, a
/// case failed),
/// 2 where the command could not do its work.
#[derive(Debug, Parser)]
#[command(name = "doorward", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Explain(Box<explain::Explain>),
    Test(cases::Test),
    Schema(schema::SchemaCommand),
    HashKey(hash_key::HashKey),
    NewKey(new_key::NewKey),
    NewClient(new_client::NewClient),
    Fingerprint(fingerprint::Fingerprint),
    Jwks(jwks::Jwks),
    Mint(mint::Mint),
    Completions(completions::Completions),
    Man(man::Man),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Check(check) => check.run(),
        Command::Explain(explain) => explain.run(),
        Command::Test(test) => test.run(),
        Command::Schema(schema) => schema.run(),
        Command::HashKey(hash_key) => hash_key.run(),
        Command::NewKey(new_key) => new_key.run(),
        Command::NewClient(new_client) => new_client.run(),
        Command::Fingerprint(fingerprint) => fingerprint.run(),
        Command::Jwks(jwks) => jwks.run(),
        Command::Mint(mint) => mint.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    outcome.unwrap_or_else(|problem| {
        eprintln!("doorward: {problem}");
        ExitCode::from(2)
    })
}
