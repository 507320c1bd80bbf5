//! Token ids of a text as it stands, and the text of token ids.

use ampoule_guest::{Assets, Error};
use ampoule_model_files::error;
use tokenizers::{PostProcessorWrapper, Tokenizer};

use crate::tokenizer_file::TokenizerFile;

/// A tokenizer that adds no special token: the model puts those where they belong. A text that spells a special
/// token is tokenized as its letters, so a caller cannot put one in.
pub struct PlainTokenizer {
    tokenizer: Tokenizer,
    file: String,
    vocabulary: usize,
}

impl PlainTokenizer {
    /// Reads `tokenizer.json` in `folder`, where `""` is the bundle's own, for a network that has embeddings for
    /// `vocabulary` tokens. The file's padding, truncation and template are those of a training run and not used.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when the file does not parse, does not fit the network, or would make other tokens for its
    /// publisher; `asset.*`; `model.file-size`.
    pub fn load(assets: &Assets, folder: &str, vocabulary: usize) -> Result<Self, Error> {
        let TokenizerFile {
            mut tokenizer,
            file,
            ..
        } = TokenizerFile::load(assets, folder, vocabulary)?;
        tokenizer.with_post_processor(None::<PostProcessorWrapper>);
        tokenizer.set_encode_special_tokens(true);
        Ok(PlainTokenizer {
            tokenizer,
            file,
            vocabulary,
        })
    }

    /// Returns the id of the token that is spelled `content`.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when there is none that has an embedding.
    pub fn special(&self, content: &str) -> Result<u32, Error> {
        self.tokenizer
            .token_to_id(content)
            .filter(|&id| (id as usize) < self.vocabulary)
            .ok_or_else(|| {
                error::tokenizer(format!(
                    "expected a token `{content}` in `{}`, found none",
                    self.file
                ))
            })
    }

    /// Returns the ids of `text`.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when it cannot be tokenized.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = self
            .tokenizer
            .encode_fast(text, false)
            .map_err(|found| error::tokenizer(format!("cannot tokenize: {found}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Returns the text of `ids` without special tokens. A part of a character becomes a replacement character
    /// (U+FFFD).
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when they cannot be decoded.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        self.tokenizer
            .decode(ids, true)
            .map_err(|found| error::tokenizer(format!("cannot decode: {found}")))
    }
}
