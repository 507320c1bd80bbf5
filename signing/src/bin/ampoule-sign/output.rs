//! What a command prints: an answer for people or for programs, or one error.

use std::io::{self, Write};
use std::process::ExitCode;

use ampoule_signing::{Error, Result, TrustError, exit_code_for};
use clap::error::ErrorKind;
use serde_json::{Value, json};

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
                let line = if self.json {
                    answer.json.to_string()
                } else {
                    answer.text
                };
                print(&mut io::stdout().lock(), &line, 0)
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&self, error: &Error) -> ExitCode {
        print_error(self.json, error.code(), &error.to_string())
    }
}

/// Prints what `clap` has to say: help and version are answers, everything else is a usage error.
pub(crate) fn print_refusal(refusal: &clap::Error) -> ExitCode {
    if matches!(
        refusal.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return print(&mut io::stdout().lock(), refusal.to_string().trim_end(), 0);
    }
    // The command line did not parse, so whether it asks for JSON is a guess from its words.
    let json = std::env::args_os().any(|argument| argument == "--json");
    let rendered = refusal.to_string();
    let message = match refusal.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "expected a command; see --help",
        _ => rendered.trim_start_matches("error: ").trim_end(),
    };
    // One line: what is wrong, and what clap says to do about it.
    let line: Vec<&str> = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    print_error(json, "usage.arguments", &line.join(" "))
}

/// Says on standard error, beside the answer, what `--insecure-permissions` lets pass.
pub(crate) fn warn(problem: &TrustError) {
    let line = format!(
        "warning: taken all the same: {problem} ({})",
        problem.code()
    );
    // Where nobody can be told, the command goes on as it was asked to.
    print(&mut io::stderr().lock(), &line, 0);
}

fn print_error(json: bool, code: &str, message: &str) -> ExitCode {
    let status = exit_code_for(code);
    if json {
        let error = json!({ "error": { "code": code, "message": message } });
        print(&mut io::stdout().lock(), &error.to_string(), status)
    } else {
        print(
            &mut io::stderr().lock(),
            &format!("error: {message} ({code})"),
            status,
        )
    }
}

/// Prints a line. When even that fails, the status says so, unless it already says something worse.
fn print(to: &mut impl Write, line: &str, status: u8) -> ExitCode {
    match writeln!(to, "{line}").and_then(|()| to.flush()) {
        Err(_) if status == 0 => ExitCode::from(exit_code_for("io.failed")),
        _ => ExitCode::from(status),
    }
}
