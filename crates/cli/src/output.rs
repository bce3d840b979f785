//! Writing results: to standard output, whose reader may go away early (`| head`).

use crate::input::Outcome;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// Writes a text and ends with this code.
pub fn print(text: &str, code: ExitCode) -> Outcome {
    write_bytes(text.as_bytes(), code)
}

/// Writes bytes and ends with this code.
pub fn write_bytes(bytes: &[u8], code: ExitCode) -> Outcome {
    let mut output = std::io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Ok(()) => Ok(code),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(code),
        Err(error) => Err(format!("standard output: {error}")),
    }
}

/// Writes JSON for other programs, indented for people.
pub fn print_json(value: &serde_json::Value, code: ExitCode) -> Outcome {
    print(&format!("{value:#}\n"), code)
}
