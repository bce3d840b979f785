//! `doorward completions`.

use crate::input::Outcome;
use crate::output::write_bytes;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::process::ExitCode;

/// Print a completion script for a shell.
///
/// For bash: doorward completions bash > ~/.local/share/bash-completion/completions/doorward
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(&self) -> Outcome {
        let mut script = Vec::new();
        let mut command = crate::Arguments::command();
        clap_complete::generate(self.shell, &mut command, "doorward", &mut script);
        write_bytes(&script, ExitCode::SUCCESS)
    }
}
