//! JSON on one line, for streams that clients read line by line.
//!
//! JSON escapes control characters and leaves three others as they are at which Python's `str.splitlines` ends a line. httpx
//! cuts streams that way, and with it the `ollama` client: such a character within a text would be half a line of JSON to it.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// The next line, the line separator and the paragraph separator.
const LINE_ENDS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// Appends a value as JSON.
pub(crate) fn write(out: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, OneLine))
}

/// Writes JSON without spaces, with [`LINE_ENDS`] escaped.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        for part in fragment.split_inclusive(LINE_ENDS) {
            let text = part.trim_end_matches(LINE_ENDS);
            writer.write_all(text.as_bytes())?;
            for end in part.strip_prefix(text).unwrap_or_default().chars() {
                write!(writer, "\\u{:04x}", u32::from(end))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_any_reader_takes_for_the_end_of_a_line_is_in_a_line() {
        let text = "\u{85}a\n\r\u{b}\u{c}\u{1c}\u{1d}\u{1e}\u{2028}\u{2028}é\u{2029}b\u{2029}";
        let mut out = Vec::new();
        write(&mut out, &[text, "", "🦀"]).unwrap();
        let line = String::from_utf8(out).unwrap();
        let expected = "[\"\\u0085a\\n\\r\\u000b\\f\\u001c\\u001d\\u001e\\u2028\\u2028é\\u2029b\\u2029\",\"\",\"🦀\"]";
        assert_eq!(line, expected);
        let read: Vec<String> = serde_json::from_str(&line).unwrap();
        assert_eq!(read, [text, "", "🦀"]);
    }
}
