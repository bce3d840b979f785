//! `doorward schema`.

mod reference;

use crate::input::Outcome;
use crate::output::{print, print_json};
use clap::{Args, ValueEnum};
use doorward_core::policy;
use std::process::ExitCode;

/// Print the JSON Schema of the policy language, for editors.
///
/// In YAML files, a first line `# yaml-language-server: $schema=policy.schema.json` makes
/// editors complete and explain keys. `doorward check` tells more than the schema can.
#[derive(Debug, Args)]
pub struct SchemaCommand {
    /// How the language is shown.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// JSON Schema 2020-12.
    Json,
    /// The reference of all keys, as docs/policy-keys.md.
    Markdown,
}

impl SchemaCommand {
    /// Prints the schema.
    pub fn run(&self) -> Outcome {
        let schema = policy::schema();
        match self.format {
            Format::Json => print_json(&schema, ExitCode::SUCCESS),
            Format::Markdown => print(&reference::markdown(&schema), ExitCode::SUCCESS),
        }
    }
}
