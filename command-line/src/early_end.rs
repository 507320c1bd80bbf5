//! The end of a command whose line does not parse, or asks only for help or the version.

use ampoule_units::text;
use clap::error::ErrorKind;
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

impl From<&clap::Error> for EarlyEnd {
    fn from(error: &clap::Error) -> Self {
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
            _ => Self::Refusal {
                code: USAGE,
                message: one_line(shown.trim_start_matches("error: ")),
            },
        }
    }
}

/// All paragraphs of what clap says, in one line: what is wrong, and what can be done about it.
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
        let error = command.try_get_matches_from(["x"]).unwrap_err();
        let message = match EarlyEnd::from(&error) {
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
