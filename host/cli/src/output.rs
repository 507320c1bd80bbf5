//! Output of the command, and its exit status.

use std::io::{self, Write as _};
use std::process::ExitCode;

use ampoule::SandboxReport;
use ampoule_command_line::{
    EarlyEnd, exit_code_for, print, print_early_end, print_error, to_json_line,
};
use ampoule_signing::text;
use serde::Serialize;

use crate::error::Error;
use crate::logging;

/// Cost of a sandbox, in every JSON answer. The guest's messages are logged, and only counted here.
#[derive(Debug, Serialize)]
pub(crate) struct Sandbox {
    fuel: u64,
    peak_memory_bytes: u64,
    wall_ms: f64,
    start_fuel: u64,
    start_wall_ms: f64,
    log_dropped_bytes: u64,
}

impl From<&SandboxReport> for Sandbox {
    fn from(report: &SandboxReport) -> Self {
        Self {
            fuel: report.fuel.get(),
            peak_memory_bytes: report.peak_memory.bytes(),
            wall_ms: report.wall.as_secs_f64() * 1e3,
            start_fuel: report.start_fuel.get(),
            start_wall_ms: report.start_wall.as_secs_f64() * 1e3,
            log_dropped_bytes: report.log.dropped_bytes,
        }
    }
}

/// Name of the model that answered, in every JSON answer.
#[derive(Debug, Serialize)]
pub(crate) struct ModelName {
    publisher: String,
    name: String,
    version: String,
    release: u64,
}

impl From<&ampoule::Manifest> for ModelName {
    fn from(manifest: &ampoule::Manifest) -> Self {
        Self {
            publisher: manifest.publisher().to_owned(),
            name: manifest.name().to_owned(),
            version: manifest.version().to_string(),
            release: manifest.release(),
        }
    }
}

/// Writes one JSON document and a line end.
pub(crate) fn json(document: &impl Serialize) -> Result<(), Error> {
    let line = to_json_line(document).map_err(|error| Error::Write(error.to_string()))?;
    write(&format!("{line}\n"))
}

/// Writes text for a person or a pipe, without delay.
pub(crate) fn write(text: &str) -> Result<(), Error> {
    print(text).map_err(unwritten)
}

/// Writes a note beside the answer, in one line on standard error: an event where the log is one of JSON.
pub(crate) fn note(text: &str) {
    if logging::is_json() {
        tracing::info!(target: "ampoule::server", "{text}");
        return;
    }
    // The answer was given, whether or not this can be written.
    let _ = writeln!(std::io::stderr(), "note: {text}");
}

/// Reports why a command failed: one line on standard error, which is an event where the log is one of JSON, or one JSON
/// document on standard output.
pub(crate) fn failure(error: &Error, as_json: bool) -> ExitCode {
    // An output that failed once fails again, or holds part of another document.
    let is_writable = !matches!(error, Error::Write(_));
    if logging::is_json() && !(as_json && is_writable) {
        let (code, message) = (error.code(), text::line(&error.to_string()));
        tracing::error!(target: "ampoule::server", code, "{message}");
        return ExitCode::from(exit_code_for(code));
    }
    print_error(as_json && is_writable, error.code(), &error.to_string())
}

/// Answers `--help` and `--version`, with status 0, or reports a wrong command line.
pub(crate) fn early_end(end: &EarlyEnd) -> ExitCode {
    match print_early_end(end).map_err(unwritten) {
        Ok(status) => status,
        Err(Error::ClosedPipe) => ExitCode::SUCCESS,
        Err(error) => failure(&error, false),
    }
}

fn unwritten(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Error::ClosedPipe,
        _ => Error::Write(error.to_string()),
    }
}
