//! Texts of a known number of tokens, for the sentence encoder.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Words of one token each.
pub(crate) struct Words {
    words: Vec<(&'static str, i64)>,
    start: i64,
    end: i64,
}

/// Texts of equally many tokens.
pub(crate) struct Texts {
    pub(crate) texts: Vec<String>,
    /// Token ids, with those at both ends, `[texts, tokens]`.
    pub(crate) ids: Vec<Vec<i64>>,
}

/// Short words: a text may have no more than 1,000 characters, and 256 tokens are wanted.
const WORDS: [&str; 48] = [
    "we", "go", "to", "the", "sea", "if", "it", "is", "hot", "and", "my", "dog", "is", "at", "my",
    "leg", "as", "he", "is", "in", "no", "mood", "to", "run", "so", "an", "old", "man", "on", "a",
    "bus", "or", "in", "a", "car", "is", "up", "by", "ten", "or", "so", "do", "not", "ask", "me",
    "how", "of", "us",
];

impl Words {
    /// Looks the words up in a `tokenizer.json`. A whole word that is in the vocabulary is one token.
    pub(crate) fn load(tokenizer: &Path) -> Result<Self> {
        let tokenizer: Value = serde_json::from_slice(&std::fs::read(tokenizer)?)?;
        let id = |word: &'static str| {
            let id = tokenizer["model"]["vocab"][word].as_i64();
            let id = id.with_context(|| format!("the vocabulary has no `{word}`"))?;
            anyhow::Ok((word, id))
        };
        Ok(Self {
            words: WORDS.into_iter().map(id).collect::<Result<_>>()?,
            start: id("[CLS]")?.1,
            end: id("[SEP]")?.1,
        })
    }

    /// Makes `count` texts of `tokens` tokens each, those at both ends included; no two begin with the same word.
    pub(crate) fn texts(&self, tokens: usize, count: usize) -> Texts {
        let words = |text: usize| {
            let words = self.words.iter().cycle().skip(5 * text);
            words.take(tokens.saturating_sub(2))
        };
        let text = |text| {
            words(text)
                .map(|(word, _)| *word)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let ids = |text| {
            let ids = words(text).map(|(_, id)| *id);
            [self.start]
                .into_iter()
                .chain(ids)
                .chain([self.end])
                .collect()
        };
        Texts {
            texts: (0..count).map(text).collect(),
            ids: (0..count).map(ids).collect(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The words with ids of no vocabulary.
    pub(crate) fn words() -> Words {
        Words {
            words: WORDS.into_iter().zip(1000..).collect(),
            start: 101,
            end: 102,
        }
    }

    #[test]
    fn texts_have_as_many_tokens_as_their_name_says_and_no_more_letters_than_a_host_allows() {
        for (tokens, count) in [(16, 1), (128, 8), (256, 1)] {
            let texts = words().texts(tokens, count);
            assert_eq!((texts.texts.len(), texts.ids.len()), (count, count));
            for (text, ids) in texts.texts.iter().zip(&texts.ids) {
                assert_eq!(ids.len(), tokens);
                assert_eq!(text.split(' ').count() + 2, tokens);
                assert!(text.chars().count() <= 1_000, "{}", text.len());
            }
        }
    }

    #[test]
    fn texts_of_one_request_differ() {
        let mut texts = words().texts(128, 8).texts;
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 8);
    }

    #[test]
    fn a_word_that_is_not_in_the_vocabulary_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, r#"{"model": {"vocab": {"we": 7}}}"#).unwrap();
        let error = Words::load(&path).err().unwrap().to_string();
        assert!(error.contains("no `go`"), "{error}");
    }
}
