//! The end of a command whose line does not parse, or asks only for help or the version.

use std::ffi::OsString;

use ampoule_units::text;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use serde_json::{Value, json};

/// The code of whatever is wrong with a command line.
const USAGE: &str = "usage.arguments";

/// An end of a command before it began: help and version, which were asked for, or a wrong command line.
#[derive(Debug, Clone, PartialEq)]
pub enum EarlyEnd {
    /// An answer for standard output, with status 0.
    Answer {
        /// For people.
        text: String,
        /// For programs: `{"help": TEXT}`, or `{"name": …, "version": …}`.
        json: Value,
    },
    /// A refusal with status 2.
    Refusal {
        /// `usage.arguments`.
        code: &'static str,
        /// One line.
        message: String,
    },
}

impl EarlyEnd {
    /// Turns clap's error about the `words` of this process into an answer or a refusal. A refused value of a
    /// variable is reported with the variable's name: it cannot be seen on the command line.
    #[must_use]
    pub fn new(
        error: &clap::Error,
        program: &Command,
        words: impl IntoIterator<Item = OsString>,
    ) -> Self {
        let rendered = error.to_string();
        let shown = rendered.trim_end();
        match error.kind() {
            ErrorKind::DisplayHelp => Self::Answer {
                text: shown.to_owned(),
                json: json!({ "help": shown }),
            },
            ErrorKind::DisplayVersion => {
                let (name, version) = shown.rsplit_once(' ').unwrap_or(("", shown));
                Self::Answer {
                    text: shown.to_owned(),
                    json: json!({ "name": name, "version": version }),
                }
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Self::Refusal {
                code: USAGE,
                message: "expected a command; see --help".to_owned(),
            },
            _ => {
                let message = one_line(shown.trim_start_matches("error: "));
                let message = match variable_of(error, program, words) {
                    Some(variable) => format!("the variable {variable}: {message}"),
                    None => message,
                };
                Self::Refusal {
                    code: USAGE,
                    message,
                }
            }
        }
    }
}

/// Returns the name of the variable that holds the value which `error` refuses; `None` where the value stands on the
/// command line.
fn variable_of(
    error: &clap::Error,
    program: &Command,
    words: impl IntoIterator<Item = OsString>,
) -> Option<String> {
    let refused = match error.get(ContextKind::InvalidArg)? {
        // `--timeout <TIME>`
        ContextValue::String(argument) => argument.split([' ', '=']).next()?,
        _ => return None,
    };
    let option = refused.strip_prefix("--")?;
    let is_given = words.into_iter().any(|word| {
        let word = word.to_string_lossy();
        word == refused
            || word
                .strip_prefix(refused)
                .is_some_and(|rest| rest.starts_with('='))
    });
    if is_given
        || !matches!(
            error.kind(),
            ErrorKind::InvalidValue | ErrorKind::ValueValidation
        )
    {
        return None;
    }
    variable_for(program, option)
}

/// Looks for the variable of an option, in a program's own options and those of its commands.
fn variable_for(command: &Command, option: &str) -> Option<String> {
    let own = command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(option));
    match own.and_then(Arg::get_env) {
        Some(variable) => Some(variable.to_string_lossy().into_owned()),
        None => command
            .get_subcommands()
            .find_map(|below| variable_for(below, option)),
    }
}

/// Joins the paragraphs of clap's message in one line: the fault, and what can be done about it.
fn one_line(message: &str) -> String {
    let paragraphs = message.split("\n\n").map(|paragraph| {
        let lines = paragraph.lines().map(str::trim);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        lines.join(" ")
    });
    let paragraphs: Vec<String> = paragraphs.filter(|text| !text.is_empty()).collect();
    text::sentence(&paragraphs.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_what_is_missing_is_in_the_one_line() {
        let command = clap::Command::new("x")
            .arg(clap::Arg::new("image").long("image").required(true))
            .arg(clap::Arg::new("text").required(true));
        let error = command.clone().try_get_matches_from(["x"]).unwrap_err();
        let message = match EarlyEnd::new(&error, &command, ["x".into()]) {
            EarlyEnd::Refusal {
                code: "usage.arguments",
                message,
            } => message,
            other => format!("{other:?}"),
        };
        for expected in ["not provided: ", "--image <image>", "<text>", "; Usage: x "] {
            assert!(message.contains(expected), "{message}");
        }
        assert_eq!(message.lines().count(), 1);
    }
}
