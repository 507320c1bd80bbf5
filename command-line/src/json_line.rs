//! JSON that is safe to look at in a terminal.

use std::io;

use ampoule_units::text;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use serde_json::{Value, json};

/// Returns the document that a command ends with when it fails.
#[must_use]
pub(crate) fn error_document(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message } })
}

/// Returns a document as one line of JSON. Characters that a terminal obeys, that end a line, that change the
/// direction of writing or that are invisible are escaped in its strings and names (`\u202e`). A parser reads the
/// same value.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
