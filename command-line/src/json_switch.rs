//! The words and the variable that ask a command for JSON.

use std::ffi::{OsStr, OsString};

/// Asks both commands for JSON, as their option `--json` does.
pub const JSON_VARIABLE: &str = "AMPOULE_JSON";

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

/// Returns true if a command line that may not parse asks for JSON: by `--json` before any `--`, or by the variable.
/// A wrong value of the variable counts as asking, so that the error about it is JSON.
pub(crate) fn wants_json(
    words: impl IntoIterator<Item = OsString>,
    variable: Option<&OsStr>,
) -> bool {
    let is_asked = |word: &OsString| {
        let word = word.to_string_lossy();
        word == "--json" || word.starts_with("--json=")
    };
    let mut options = words.into_iter().skip(1).take_while(|word| word != "--");
    options.any(|word| is_asked(&word))
        || variable.is_some_and(|value| parse_switch(&value.to_string_lossy()) != Ok(false))
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
}
