//! `tokenizer.json`: from a question to token ids, and from an answer's ids back to text.

use ampoule_guest::{Assets, Error};
use ampoule_nn::error;
use tokenizers::{PostProcessorWrapper, Tokenizer};

use crate::config::Config;

const FILE: &str = "tokenizer.json";

/// A tokenizer of some hundreds of tokens is a few tens of KiB; one of a large model is some MiB.
const MAX_BYTES: usize = 16 << 20;

/// A tokenizer, and the tokens that say who speaks.
pub(crate) struct Tokenization {
    tokenizer: Tokenizer,
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
        let mut tokenizer = Tokenizer::from_bytes(assets.read_to_vec(FILE, MAX_BYTES)?)
            .map_err(|found| error::tokenizer(format!("cannot read `{FILE}`: {found}")))?;
        let vocabulary = tokenizer.get_vocab_size(true);
        if vocabulary > config.vocab_size {
            return Err(error::tokenizer(format!(
                "expected at most {} tokens, as `config.json` has it, in `{FILE}`, found \
                 {vocabulary}",
                config.vocab_size
            )));
        }
        // What the file says of these is of somebody's training run. Special tokens are put where
        // they belong here, and a question that spells one is a question about it.
        tokenizer.with_padding(None);
        tokenizer.with_post_processor(None::<PostProcessorWrapper>);
        tokenizer
            .with_truncation(None)
            .map_err(|found| error::tokenizer(format!("cannot use `{FILE}`: {found}")))?;
        tokenizer.set_encode_special_tokens(true);
        let special = |content: &str| {
            tokenizer
                .token_to_id(content)
                .filter(|&id| (id as usize) < config.vocab_size)
                .ok_or_else(|| {
                    error::tokenizer(format!(
                        "expected a token `{content}` in `{FILE}`, found none"
                    ))
                })
        };
        Ok(Tokenization {
            user: special("<user>")?,
            assistant: special("<assistant>")?,
            end: special("<end>")?,
            // An answer needs a position.
            max_prompt_tokens: config.max_text_positions - 1,
            tokenizer,
        })
    }

    /// The longest question in tokens, special tokens included.
    pub(crate) fn max_prompt_tokens(&self) -> usize {
        self.max_prompt_tokens
    }

    /// The token that ends an answer.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// The ids of a question, between the tokens that say who asks and who answers. Letters are taken
    /// as small ones, and white space as one space, as in training.
    ///
    /// # Errors
    ///
    /// `input.too-large` when there are more than the model reads: half a question would get a wrong
    /// answer.
    pub(crate) fn prompt(&self, question: &str) -> Result<Vec<u32>, Error> {
        let words: Vec<&str> = question.split_whitespace().collect();
        let question = words.join(" ").to_lowercase();
        let mut ids = vec![self.user];
        ids.extend(self.encode(&question)?);
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

    /// The ids of a text as it is.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when it cannot be tokenized.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = self
            .tokenizer
            .encode_fast(text, false)
            .map_err(|found| error::tokenizer(format!("cannot tokenize: {found}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of an answer, without the space that its first word begins with. When the last token
    /// is a part of a character, that is a replacement character.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when it cannot be decoded.
    pub(crate) fn answer(&self, ids: &[u32]) -> Result<String, Error> {
        let text = self
            .tokenizer
            .decode(ids, true)
            .map_err(|found| error::tokenizer(format!("cannot decode: {found}")))?;
        Ok(text.trim_start().to_owned())
    }
}
