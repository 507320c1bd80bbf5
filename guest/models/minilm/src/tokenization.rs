//! `tokenizer.json`: from text to token ids.

use ampoule_guest::{Assets, Error, Tokens};
use ampoule_nn::error;
use tokenizers::{PostProcessor as _, Tokenizer, TruncationParams};

use crate::config::Config;

const FILE: &str = "tokenizer.json";

/// The tokenizers of large multilingual encoders are some 20 MB.
const MAX_BYTES: usize = 64 << 20;

/// A tokenizer that cuts at the model's length and never pads.
pub(crate) struct Tokenization {
    tokenizer: Tokenizer,
    max_tokens: usize,
}

impl Tokenization {
    /// Reads the tokenizer. Its own settings for padding and truncation are those of somebody's
    /// training run, so they are ignored: what counts is how many positions the model has.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when it does not parse or does not fit the model; `asset.*`;
    /// `model.file-size`.
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
        let max_tokens = config.max_position_embeddings;
        let special_tokens = tokenizer
            .get_post_processor()
            .map_or(0, |processor| processor.added_tokens(false));
        if special_tokens >= max_tokens {
            return Err(error::tokenizer(format!(
                "expected room for text in {max_tokens} positions; the template of `{FILE}` adds \
                 {special_tokens} tokens"
            )));
        }
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(TruncationParams {
                // Without special tokens the library stops as soon as it has enough, and then
                // cannot say whether there was more: so it is asked for one too many.
                max_length: max_tokens + usize::from(special_tokens == 0),
                ..TruncationParams::default()
            }))
            .map_err(|found| error::tokenizer(format!("cannot use `{FILE}`: {found}")))?;
        Ok(Tokenization {
            tokenizer,
            max_tokens,
        })
    }

    /// The longest input in tokens, special tokens included.
    pub(crate) fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The ids of one text, special tokens included. When there are too many, it is the text that
    /// is cut, at its end, and not the special tokens.
    pub(crate) fn tokenize(&self, text: &str) -> Result<Tokens, Error> {
        let encoding = self
            .tokenizer
            .encode_fast(text, true)
            .map_err(|found| error::tokenizer(format!("cannot tokenize: {found}")))?;
        let mut ids = encoding.get_ids().to_vec();
        let truncated = ids.len() > self.max_tokens || !encoding.get_overflowing().is_empty();
        ids.truncate(self.max_tokens);
        Ok(Tokens { ids, truncated })
    }
}
