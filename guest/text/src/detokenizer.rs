//! The text of an answer in progress, in whole characters.

use ampoule_guest::Error;

use crate::plain_tokenizer::PlainTokenizer;

/// Tokens that are decoded again with each new one, at most twice over: a decoder looks at the token before, and a
/// character has up to four bytes, each of which may be a token.
const WINDOW: usize = 16;

/// Turns tokens into text one after another.
///
/// A token may end within a character. Such a part is held back until the rest is there, or nothing more comes.
/// White space that the answer begins with is left out: many tokenizers put a space in front of a first word.
#[derive(Debug, Default)]
pub struct Detokenizer {
    tokens: Vec<u32>,
    /// Tokens before this one were said, and are not decoded any more.
    window: usize,
    /// Bytes of the window's text that were said.
    said: usize,
}

impl Detokenizer {
    /// Adds a token.
    pub fn push(&mut self, token: u32) {
        self.tokens.push(token);
    }

    /// Returns the token that was added last.
    pub fn last(&self) -> Option<u32> {
        self.tokens.last().copied()
    }

    /// Returns the text that was not returned yet: as far as its characters are whole, or all of it with `is_last`,
    /// when no token follows.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when the tokens cannot be decoded.
    pub fn text(&mut self, tokenizer: &PlainTokenizer, is_last: bool) -> Result<String, Error> {
        let text = self.window_text(tokenizer)?;
        let whole = if is_last {
            &text[..]
        } else {
            text.trim_end_matches(char::REPLACEMENT_CHARACTER)
        };
        let new = whole.get(self.said..).unwrap_or_default().to_owned();
        self.said += new.len();
        let nothing_is_held = self.said == text.len();
        if nothing_is_held && self.tokens.len() - self.window >= 2 * WINDOW {
            self.window = self.tokens.len() - WINDOW;
            self.said = self.window_text(tokenizer)?.len();
        }
        Ok(new)
    }

    fn window_text(&self, tokenizer: &PlainTokenizer) -> Result<String, Error> {
        let text = tokenizer.decode(&self.tokens[self.window..])?;
        let begins = self.window == 0;
        Ok(if begins {
            text.trim_start().to_owned()
        } else {
            text
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::collections::BTreeMap;

    use ampoule_guest::Assets;
    use ampoule_guest_testing::tokenizer_json;

    use super::*;

    /// A tokenizer whose tokens are the 256 bytes.
    fn bytes() -> PlainTokenizer {
        let file = tokenizer_json::byte_level(&[], &[]).to_string();
        let files = BTreeMap::from([("tokenizer.json".to_owned(), file.into_bytes())]);
        PlainTokenizer::load(&Assets::from_source(files), "", 256).unwrap()
    }

    #[test]
    fn text_comes_in_whole_characters_and_adds_up_to_all_of_it() {
        let tokenizer = bytes();
        let answer = "  Über 🦙🦙 und 北京, ".repeat(9);
        let mut detokenizer = Detokenizer::default();
        let mut said = String::new();
        for (index, byte) in answer.bytes().enumerate() {
            detokenizer.push(u32::from(byte));
            assert_eq!(detokenizer.last(), Some(u32::from(byte)));
            let text = detokenizer.text(&tokenizer, false).unwrap();
            assert!(!text.contains(char::REPLACEMENT_CHARACTER), "{text:?}");
            said.push_str(&text);
            let whole = String::from_utf8_lossy(&answer.as_bytes()[..=index]).into_owned();
            let whole = whole.trim_end_matches(char::REPLACEMENT_CHARACTER);
            assert_eq!(said, whole.trim_start());
        }
        assert_eq!(detokenizer.text(&tokenizer, true).unwrap(), "");
        assert_eq!(said, answer.trim_start());
    }

    #[test]
    fn half_a_character_comes_out_once_nothing_more_comes() {
        let tokenizer = bytes();
        let mut detokenizer = Detokenizer::default();
        for byte in [b'a', 0xf0, 0x9f] {
            detokenizer.push(u32::from(byte));
        }
        assert_eq!(detokenizer.text(&tokenizer, false).unwrap(), "a");
        assert_eq!(detokenizer.text(&tokenizer, true).unwrap(), "\u{fffd}");
    }

    #[test]
    fn a_long_answer_is_not_decoded_from_its_beginning_again() {
        let tokenizer = bytes();
        let mut detokenizer = Detokenizer::default();
        for _ in 0..1000 {
            detokenizer.push(u32::from(b'x'));
            assert_eq!(detokenizer.text(&tokenizer, false).unwrap(), "x");
            assert!(detokenizer.tokens.len() - detokenizer.window <= 2 * WINDOW);
        }
    }
}
