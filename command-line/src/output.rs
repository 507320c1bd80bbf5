//! Prints answers and errors, and gives the exit status.

use std::io::{self, Write as _};
use std::process::ExitCode;

use ampoule_units::text;
use serde_json::Value;

use crate::early_end::EarlyEnd;
use crate::exit_code::exit_code_for;
use crate::json_line::{error_document, to_json_line};
use crate::json_switch::{JSON_VARIABLE, wants_json};

/// Writes to standard output and flushes it, so that a reader in a pipe gets the text at once.
///
/// # Errors
///
/// The system's, such as [`io::ErrorKind::BrokenPipe`] when nobody reads any more.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Writes one JSON document to standard output, in a line that is safe to look at.
///
/// # Errors
///
/// As [`print()`].
pub fn print_json(document: &Value) -> io::Result<()> {
    print(&format!("{}\n", json_line(document)))
}

/// Reports an error: one JSON document on standard output, or one line on standard error. Returns the exit status for
/// `code`, whether or not anything could be written.
#[must_use]
pub fn print_error(as_json: bool, code: &str, message: &str) -> ExitCode {
    if !(as_json && print_json(&error_document(code, message)).is_ok()) {
        // If this cannot be written either, the exit status still tells.
        let _ = writeln!(io::stderr(), "error: {} ({code})", text::line(message));
    }
    ExitCode::from(exit_code_for(code))
}

/// Prints help or the version, which are answers, or reports a wrong command line. Returns the exit status.
///
/// # Errors
///
/// As [`print()`], for an answer.
pub fn print_early_end(end: &EarlyEnd) -> io::Result<ExitCode> {
    // The command line did not parse, so whether it asks for JSON is guessed from its words.
    let variable = std::env::var_os(JSON_VARIABLE);
    let as_json = wants_json(std::env::args_os(), variable.as_deref());
    match end {
        EarlyEnd::Answer { json, .. } if as_json => print_json(json)?,
        EarlyEnd::Answer { text, .. } => print(&format!("{text}\n"))?,
        EarlyEnd::Refusal { code, message } => return Ok(print_error(as_json, code, message)),
    }
    Ok(ExitCode::SUCCESS)
}

fn json_line(document: &Value) -> String {
    // A value always has a form in JSON.
    to_json_line(document).unwrap_or_else(|_| document.to_string())
}
