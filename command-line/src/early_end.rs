//! The manners that both commands have: which words ask for JSON, what a wrong command line is answered with,
//! JSON that is safe to look at, and a question that only `yes` answers.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::error::ErrorKind;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use serde_json::{Value, json};

use ampoule_units::text;

/// Asks both commands for JSON, as their option `--json` does.
pub const JSON_VARIABLE: &str = "AMPOULE_JSON";

/// The code of whatever is wrong with a command line.
const USAGE: &str = "usage.arguments";

/// The code of a panic.
const BUG: &str = "internal.bug";

/// Reads a variable that switches something on or off: `1`, `true`, `yes` and `on`, or `0`, `false`, `no`, `off`
/// and nothing at all, in any case.
///
/// # Errors
///
/// For any other text: a slip must not switch on what takes care to be switched on.
pub fn parse_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("expected 1, true, yes or on, or 0, false, no, off or nothing".to_owned()),
    }
}

/// Tells whether JSON is asked for, by a command line that may not parse otherwise: `--json` before any `--`, or the
/// variable. A value of the variable that is wrong counts as asking, so that the error about it is JSON.
pub fn wants_json(words: impl IntoIterator<Item = OsString>, variable: Option<&OsStr>) -> bool {
    let is_asked = |word: &OsString| {
        let word = word.to_string_lossy();
        word == "--json" || word.starts_with("--json=")
    };
    let mut options = words.into_iter().skip(1).take_while(|word| word != "--");
    options.any(|word| is_asked(&word))
        || variable.is_some_and(|value| parse_switch(&value.to_string_lossy()) != Ok(false))
}

/// An end of a command before it began: help and version, which were asked for, or a wrong command line.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
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

/// Returns the document that a command ends with when it fails.
#[must_use]
pub fn error_document(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message } })
}

/// A bug that ended a command's work; `internal.bug`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("internal error, please report it: the command gave up half-way")]
pub struct Panicked;

impl Panicked {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        BUG
    }
}

/// Does a command's work; a panic in it is an error as any other.
///
/// # Errors
///
/// [`Panicked`].
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    // The process ends after this, so nobody meets what the panic has left half-done.
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

/// Returns a document as one line of JSON. In its strings and names, every character that a terminal obeys, that ends
/// a line, that changes the direction of writing or that is not seen is written as an escape (`\u202e`). A parser
/// reads the same value.
///
/// # Errors
///
/// For what has no form in JSON.
pub fn to_json_line(document: &impl Serialize) -> serde_json::Result<String> {
    let mut line = Vec::new();
    document.serialize(&mut Serializer::with_formatter(&mut line, Harmless))?;
    String::from_utf8(line).map_err(serde::ser::Error::custom)
}

/// Compact JSON with more escapes than JSON asks for.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((place, c)) = rest.char_indices().find(|(_, c)| !text::is_harmless(*c)) {
            CompactFormatter.write_string_fragment(writer, &rest[..place])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[place + c.len_utf8()..];
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

/// Longer than `yes`; no more of an answer is read.
const MAX_ANSWER_BYTES: u64 = 64;

/// Asks `question` on standard error, beside an answer that may be JSON, and returns true only after a `yes` on
/// standard input.
#[must_use]
pub fn is_answered_yes(question: &str) -> bool {
    let mut line = String::new();
    let asked = write!(io::stderr(), "{question} Type `yes`: ")
        .and_then(|()| io::stderr().flush())
        .and_then(|()| {
            let mut answer = io::stdin().lock().take(MAX_ANSWER_BYTES);
            answer.read_line(&mut line)
        });
    asked.is_ok() && line.trim() == "yes"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_json_is_seen_in_any_command_line() {
        let asks = |words: &[&str], variable: Option<&str>| {
            let words = words.iter().map(OsString::from);
            wants_json(words, variable.map(OsStr::new))
        };
        for words in [
            &["ampoule", "--json"][..],
            &["ampoule", "frobnicate", "--json"],
            &["ampoule", "--json=yes"],
            &["ampoule", "--json", "--", "x"],
        ] {
            assert!(asks(words, None), "{words:?}");
            assert!(asks(words, Some("0")), "an option comes before a variable");
        }
        for words in [
            &["--json"][..],
            &["ampoule", "--", "--json"],
            &["ampoule", "--jsonx"],
            &["ampoule", "json"],
        ] {
            assert!(!asks(words, None), "{words:?}");
            for off in ["", "0", "false", "No", "OFF"] {
                assert!(!asks(words, Some(off)), "{words:?} {off}");
            }
            for on in ["1", "TRUE", "yes", "on", "maybe", "2"] {
                assert!(asks(words, Some(on)), "{words:?} {on}");
            }
        }
    }

    #[test]
    fn json_steers_no_terminal_and_means_what_it_did() {
        let strange =
            "a\u{9b}31m\u{7f}b\u{202e}c\u{2028}\u{2029}\u{2066}\u{e0041}\u{1b}[2J\n\"é漢👍";
        let document = json!({ strange: [strange, { "x": strange }], "n": 1.5, "empty": "" });
        let line = to_json_line(&document).unwrap();
        assert!(line.chars().all(text::is_harmless), "{line}");
        assert!(line.contains("é漢👍"), "{line}");
        assert!(
            line.contains("\\u202e") && line.contains("\\udb40\\udc41"),
            "{line}"
        );
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), document);
        // And nothing else is changed.
        let plain = json!({ "a": [1, 2.5, null, true], "b": { "c": "d\te" } });
        assert_eq!(to_json_line(&plain).unwrap(), plain.to_string());
    }

    #[test]
    fn a_panic_is_an_error_with_a_code() {
        assert_eq!(guarded(|| 7), Ok(7));
        let panicked = guarded(|| {
            let number: Result<i32, _> = "none".parse();
            number.unwrap()
        });
        assert_eq!(panicked, Err(Panicked));
        assert_eq!(Panicked.code(), "internal.bug");
    }

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
