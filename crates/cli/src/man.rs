//! `doorward man`.

use crate::input::Outcome;
use crate::output::write_bytes;
use clap::{Args, CommandFactory};
use std::path::PathBuf;
use std::process::ExitCode;

/// Print the manual page, or write a page for each command.
#[derive(Debug, Args)]
pub struct Man {
    /// Write doorward.1, doorward-check.1, … into this directory.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

impl Man {
    /// Prints or writes.
    pub fn run(&self) -> Outcome {
        let command = crate::Arguments::command();
        if let Some(directory) = &self.directory {
            return clap_mangen::generate_to(command, directory)
                .map(|()| ExitCode::SUCCESS)
                .map_err(|error| format!("{}: {error}", directory.display()));
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|error| error.to_string())?;
        write_bytes(&page, ExitCode::SUCCESS)
    }
}
