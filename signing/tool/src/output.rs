//! Prints a command's answer, or its error.

use std::io::{self, Write as _};
use std::process::ExitCode;

use ampoule_command_line::{
    Answer, EarlyEnd, Panicked, print, print_early_end, print_error, print_json,
};
use ampoule_signing::{Result, TrustError};

/// The form in which a command answers.
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints the answer or the error, and returns the exit status.
    pub(crate) fn finish(&self, answer: Result<Answer>) -> ExitCode {
        match answer {
            Ok(answer) => status_of(self.print(&answer).map(|()| ExitCode::SUCCESS)),
            Err(error) => print_error(self.json, error.code(), &error.to_string()),
        }
    }

    /// Reports that a bug ended the command.
    pub(crate) fn give_up(&self, panicked: Panicked) -> ExitCode {
        print_error(self.json, panicked.code(), &panicked.to_string())
    }

    fn print(&self, answer: &Answer) -> io::Result<()> {
        if self.json {
            print_json(&answer.json)
        } else {
            print(&format!("{}\n", answer.text))
        }
    }
}

/// Prints help or the version, or reports a wrong command line.
pub(crate) fn early_end(end: &EarlyEnd) -> ExitCode {
    status_of(print_early_end(end))
}

/// Warns on standard error, beside the answer, of a file that `--insecure-permissions` lets pass.
pub(crate) fn warn(problem: &TrustError) {
    // Where nobody can be told, the command goes on as it was asked to.
    let _ = writeln!(
        io::stderr(),
        "warning: taken all the same: {problem} ({})",
        problem.code()
    );
}

fn status_of(printed: io::Result<ExitCode>) -> ExitCode {
    match printed {
        Ok(status) => status,
        // Whoever closed the pipe has read what they wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let message = format!("cannot write the answer: {}", error.kind());
            print_error(false, "io.failed", &message)
        }
    }
}
