//! `cargo xtask`: what this repository does to itself.

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::{envoy, module};

#[derive(Parser)]
#[command(name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build dist/doorward.wasm as it ships, and hold it to its size budget
    Build,
    /// Fetch the pinned Envoy (or take $ENVOY) and print its path
    Envoy,
}

fn main() -> Result<()> {
    match Arguments::parse().chore {
        Chore::Build => {
            let path = module::build()?;
            let size = module::size(&path)?;
            println!("{}  {size} bytes of {}", path.display(), module::BUDGET);
        }
        Chore::Envoy => println!("{}", envoy::binary()?.display()),
    }
    Ok(())
}
