//! What a command prints: an answer for people or for programs, or one error.

use std::io::{self, Write};
use std::process::ExitCode;

use ampoule_signing::command_line::{
    EarlyEnd, JSON_VARIABLE, Panicked, error_document, to_json_line, wants_json,
};
use ampoule_signing::{Error, Result, TrustError, exit_code_for, text};
use serde_json::Value;

/// What a command has to say, in both forms.
pub(crate) struct Answer {
    /// For people: lines, without the last line's end.
    pub(crate) text: String,
    /// For programs: one line.
    pub(crate) json: Value,
}

/// How it is said.
pub(crate) struct Output {
    /// For programs.
    pub(crate) json: bool,
}

impl Output {
    /// Prints the answer or the error, and gives the exit status.
    pub(crate) fn finish(&self, answer: Result<Answer>) -> ExitCode {
        match answer {
            Ok(answer) => {
                if self.json {
                    print_answer(&json_line(&answer.json))
                } else {
                    print_answer(&answer.text)
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Says that a bug ended the command.
    pub(crate) fn give_up(&self, panicked: Panicked) -> ExitCode {
        print_error(self.json, panicked.code(), &panicked.to_string())
    }

    fn fail(&self, error: &Error) -> ExitCode {
        print_error(self.json, error.code(), &error.to_string())
    }
}

/// Prints help or the version, which are answers, or what is wrong with the command line.
pub(crate) fn print_early_end(end: &EarlyEnd) -> ExitCode {
    // The command line did not parse, so what it asks for is a guess from its words.
    let variable = std::env::var_os(JSON_VARIABLE);
    let json = wants_json(std::env::args_os(), variable.as_deref());
    match end {
        EarlyEnd::Answer { json: document, .. } if json => print_answer(&json_line(document)),
        EarlyEnd::Answer { text, .. } => print_answer(text),
        EarlyEnd::Refusal { code, message } => print_error(json, code, message),
        _ => print_error(json, "internal.bug", "another end than was known"),
    }
}

/// Says on standard error, beside the answer, what `--insecure-permissions` lets pass.
pub(crate) fn warn(problem: &TrustError) {
    let line = format!(
        "warning: taken all the same: {problem} ({})",
        problem.code()
    );
    // Where nobody can be told, the command goes on as it was asked to.
    let _ = write_line(&mut io::stderr().lock(), &line);
}

fn print_error(json: bool, code: &str, message: &str) -> ExitCode {
    let status = exit_code_for(code);
    let document = error_document(code, message);
    // If neither can be written, the exit status still tells.
    if !(json && write_line(&mut io::stdout().lock(), &json_line(&document)).is_ok()) {
        let line = format!("error: {} ({code})", text::line(message));
        let _ = write_line(&mut io::stderr().lock(), &line);
    }
    ExitCode::from(status)
}

fn json_line(document: &Value) -> String {
    // A value always has a form in JSON.
    to_json_line(document).unwrap_or_else(|_| document.to_string())
}

/// Prints an answer. Whoever closed the pipe has read what they wanted.
fn print_answer(line: &str) -> ExitCode {
    match write_line(&mut io::stdout().lock(), line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let message = format!("cannot write the answer: {}", error.kind());
            print_error(false, "io.failed", &message)
        }
    }
}

fn write_line(to: &mut impl Write, line: &str) -> io::Result<()> {
    writeln!(to, "{line}").and_then(|()| to.flush())
}
