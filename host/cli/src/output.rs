//! What goes to standard output and standard error, and the exit status.

use std::io::Write as _;
use std::process::ExitCode;

use ampoule::SandboxReport;
use ampoule_signing::command_line::{
    EarlyEnd, JSON_VARIABLE, error_document, to_json_line, wants_json,
};
use ampoule_signing::{exit_code_for, text};
use serde::Serialize;

use crate::error::Error;

/// What a sandbox cost, in every JSON answer.
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

/// Which model answered, in every JSON answer.
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

/// What a request cost in tokens, in every JSON answer that counts them.
#[derive(Debug, Serialize)]
pub(crate) struct Usage {
    input_tokens: u32,
    /// Only where the model writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u32>,
}

impl Usage {
    /// Of a task that only reads.
    pub(crate) fn of_input(usage: ampoule::Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: None,
        }
    }
}

impl From<ampoule::Usage> for Usage {
    fn from(usage: ampoule::Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: Some(usage.output_tokens),
        }
    }
}

/// Writes one JSON document and a line end.
pub(crate) fn json(document: &impl Serialize) -> Result<(), Error> {
    let mut text = to_json_line(document).map_err(|error| Error::Write(error.to_string()))?;
    text.push('\n');
    write(&text)
}

/// Writes text for a person or a pipe, and sees that it gets there at once.
pub(crate) fn write(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => Error::ClosedPipe,
            _ => Error::Write(error.to_string()),
        })
}

/// Says something beside the answer, in one line on standard error.
pub(crate) fn note(text: &str) {
    // The answer was given, whether or not this can be written.
    let _ = writeln!(std::io::stderr(), "note: {text}");
}

/// Says why a command failed: one line on standard error, or one JSON document on standard output.
pub(crate) fn failure(error: &Error, as_json: bool) -> ExitCode {
    // What could not be written there once cannot be written there again, or not as one document.
    let is_writable = !matches!(error, Error::Write(_));
    fail(error.code(), &error.to_string(), as_json && is_writable)
}

/// Answers `--help` and `--version`, with status 0, or says what is wrong with the command line.
pub(crate) fn early_end(end: &EarlyEnd) -> ExitCode {
    // The command line did not parse, so what it asks for is a guess from its words.
    let variable = std::env::var_os(JSON_VARIABLE);
    let as_json = wants_json(std::env::args_os(), variable.as_deref());
    let written = match end {
        EarlyEnd::Answer { json: document, .. } if as_json => json(document),
        EarlyEnd::Answer { text, .. } => write(&format!("{text}\n")),
        EarlyEnd::Refusal { code, message } => return fail(code, message, as_json),
        _ => Err(Error::Internal("another end than was known")),
    };
    match written {
        Ok(()) | Err(Error::ClosedPipe) => ExitCode::SUCCESS,
        Err(error) => failure(&error, as_json),
    }
}

fn fail(code: &str, message: &str, as_json: bool) -> ExitCode {
    // If neither can be written, the exit status still tells.
    if !(as_json && json(&error_document(code, message)).is_ok()) {
        let _ = writeln!(std::io::stderr(), "error: {} ({code})", text::line(message));
    }
    ExitCode::from(exit_code_for(code))
}
