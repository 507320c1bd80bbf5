//! The texts of a command: its arguments, or the lines of standard input. No more is read than a request may have.

use std::io::{BufRead, Read as _};

use ampoule::InputChecks as _;
use ampoule::{Limit, Limits};

use crate::error::Error;

/// The most bytes of a character in UTF-8.
const BYTES_PER_CHAR: u64 = 4;

/// The longest end of a line: a carriage return and a line feed.
const LINE_END_BYTES: u64 = 2;

/// Returns the texts, each within the limits; `-` alone stands for the lines of standard input.
pub(crate) fn read(arguments: Vec<String>, limits: &Limits) -> Result<Vec<String>, Error> {
    if arguments == ["-"] {
        return read_lines(std::io::stdin().lock(), limits);
    }
    limits.check_text_count(arguments.len())?;
    for text in &arguments {
        limits.check_text(text)?;
    }
    Ok(arguments)
}

fn read_lines(mut source: impl BufRead, limits: &Limits) -> Result<Vec<String>, Error> {
    let longest = (limits.text_chars as u64)
        .saturating_mul(BYTES_PER_CHAR)
        .saturating_add(LINE_END_BYTES);
    let mut texts = Vec::new();
    loop {
        if source.fill_buf().map_err(unreadable)?.is_empty() {
            return Ok(texts);
        }
        if texts.len() == limits.texts {
            return Err(more(Limit::Texts, "texts in one request", limits.texts));
        }
        let mut line = Vec::new();
        let mut bounded = source.by_ref().take(longest.saturating_add(1));
        bounded.read_until(b'\n', &mut line).map_err(unreadable)?;
        // Before it is looked at whether it is text at all: it may have been cut within a character.
        if line.len() as u64 > longest {
            return Err(more(
                Limit::TextChars,
                "characters in one text",
                limits.text_chars,
            ));
        }
        let mut line = String::from_utf8(line).map_err(|_| Error::Read {
            what: "standard input".to_owned(),
            reason: format!("line {} is not UTF-8", texts.len() + 1),
        })?;
        if line.ends_with('\n') {
            line.pop();
            if line.ends_with('\r') {
                line.pop();
            }
        }
        limits.check_text(&line)?;
        texts.push(line);
    }
}

/// Makes the error of a text that was not read to its end: its length is unknown.
fn more(limit: Limit, what: &'static str, allowed: usize) -> Error {
    Error::Host(ampoule::Error::TooLarge {
        limit: Some(limit),
        what: what.into(),
        found: format!("more than {allowed}"),
        allowed: allowed.to_string(),
    })
}

fn unreadable(error: std::io::Error) -> Error {
    Error::Read {
        what: "standard input".to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    fn limits() -> Limits {
        let mut limits = Limits::default();
        (limits.texts, limits.text_chars) = (3, 5);
        limits
    }

    #[test]
    fn lines_are_texts_whatever_ends_them() {
        let read = |text: &str| read_lines(text.as_bytes(), &limits()).unwrap();
        assert_eq!(read("one\nzwei\n三"), ["one", "zwei", "三"]);
        assert_eq!(read("one\r\n\r\ntwo\r"), ["one", "", "two\r"]);
        assert_eq!(
            read("漢漢漢漢漢\n🦀🦀🦀🦀🦀\r\n"),
            ["漢漢漢漢漢", "🦀🦀🦀🦀🦀"]
        );
        assert!(read("").is_empty());
    }

    #[test]
    fn no_more_is_read_than_a_request_may_have() {
        for (source, limit) in [
            (&b"x"[..], "text_chars"),
            (b"x\n", "texts"),
            (b"\n", "texts"),
            (b"\xff", "text_chars"),
        ] {
            // Far more than a test could read.
            let endless = source.iter().copied().cycle().take(1 << 40);
            let mut endless = Bytes(endless, 0);
            let error = read_lines(BufReader::with_capacity(16, &mut endless), &limits());
            let error = error.unwrap_err();
            assert_eq!(error.code(), "input.too-large");
            assert!(error.to_string().contains(limit), "{error}");
            assert!(endless.1 <= 48, "{} bytes", endless.1);
        }
    }

    #[test]
    fn a_line_that_is_no_text_is_an_error_that_names_it() {
        let error = read_lines(Cursor::new(b"ok\n\xff\n"), &limits()).unwrap_err();
        assert_eq!(error.code(), "io.read");
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    /// Bytes one after the other, counted.
    struct Bytes<I>(I, usize);

    impl<I: Iterator<Item = u8>> std::io::Read for Bytes<I> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let mut read = 0;
            for place in buffer {
                let Some(byte) = self.0.next() else { break };
                *place = byte;
                read += 1;
            }
            self.1 += read;
            Ok(read)
        }
    }
}
