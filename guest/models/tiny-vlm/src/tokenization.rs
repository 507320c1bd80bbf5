//! The template of a question, in token ids, and the tokens that say who speaks.

use ampoule_guest::{Assets, Error};
use ampoule_text::PlainTokenizer;

use crate::config::Config;

/// A tokenizer, and the tokens that say who speaks.
pub(crate) struct Tokenization {
    tokenizer: PlainTokenizer,
    user: u32,
    assistant: u32,
    end: u32,
    max_prompt_tokens: usize,
}

impl Tokenization {
    /// Reads the tokenizer.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when it does not parse, does not fit the model or lacks a special token;
    /// `asset.*`; `model.file-size`.
    pub(crate) fn load(assets: &Assets, config: &Config) -> Result<Self, Error> {
        let tokenizer = PlainTokenizer::load(assets, "", config.vocab_size)?;
        Ok(Tokenization {
            user: tokenizer.special("<user>")?,
            assistant: tokenizer.special("<assistant>")?,
            end: tokenizer.special("<end>")?,
            // An answer needs a position.
            max_prompt_tokens: config.max_text_positions - 1,
            tokenizer,
        })
    }

    /// Returns the length of the longest question in tokens, special tokens included.
    pub(crate) fn max_prompt_tokens(&self) -> usize {
        self.max_prompt_tokens
    }

    /// Returns the token that ends an answer.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// Returns the ids of a question, between the tokens that say who asks and who answers. Letters are
    /// lowercased, and white space becomes one space, as in training.
    ///
    /// # Errors
    ///
    /// `input.too-large` when there are more than the model reads: half a question would get a wrong
    /// answer.
    pub(crate) fn prompt(&self, question: &str) -> Result<Vec<u32>, Error> {
        let words: Vec<&str> = question.split_whitespace().collect();
        let question = words.join(" ").to_lowercase();
        let mut ids = vec![self.user];
        ids.extend(self.tokenizer.encode(&question)?);
        ids.push(self.assistant);
        if ids.len() > self.max_prompt_tokens {
            return Err(Error::new(
                "input.too-large",
                format!(
                    "expected a question of at most {} tokens, found {}; make it shorter",
                    self.max_prompt_tokens,
                    ids.len()
                ),
            ));
        }
        Ok(ids)
    }

    /// Returns the tokenizer, which adds no special token.
    pub(crate) fn plain(&self) -> &PlainTokenizer {
        &self.tokenizer
    }
}
