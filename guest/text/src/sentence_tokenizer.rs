//! The tokenizer of an encoder that sentence-transformers lays out: template, length and prompt stand in the
//! publisher's files.

use ampoule_guest::{Assets, Error, Tokens};
use ampoule_model_files::error;
use tokenizers::normalizers::{Lowercase, Sequence};
use tokenizers::utils::truncation::TruncationDirection;
use tokenizers::{NormalizerWrapper, PostProcessor as _, Tokenizer, TruncationParams};

use crate::sentence_settings::{AnswerSettings, ReadingSettings};
use crate::tokenizer_file::TokenizerFile;
use crate::tokenizer_settings::TokenizerSettings;

/// The network's bounds on tokens, from its configuration.
#[derive(Debug, Clone, Copy)]
pub struct TokenBounds<'a> {
    /// Tokens that have an embedding.
    pub vocabulary: usize,
    /// Positions that have an embedding.
    pub positions: usize,
    /// The tokenizer's class, which counts where `tokenizer_config.json` names none.
    pub tokenizer_class: Option<&'a str>,
}

/// A tokenizer that puts the model's prompt in front, cuts at the model's length, and never pads.
pub struct SentenceTokenizer {
    tokenizer: Tokenizer,
    max_tokens: usize,
    cuts_the_beginning: bool,
    prompt: String,
    prompt_tokens: usize,
}

impl SentenceTokenizer {
    /// Reads the tokenizer in the transformer's `folder`. A text is cut at
    ///
    /// * `max_seq_length` of `sentence_bert_config.json`, or else
    /// * `model_max_length` of `tokenizer_config.json`,
    ///
    /// and in any case at the number of positions that the network has.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when it does not parse, does not fit the network, or would make other tokens for its
    /// publisher; `model.config` when the files of settings are wrong; `asset.*`; `model.file-size`.
    pub fn load(
        assets: &Assets,
        folder: &str,
        bounds: TokenBounds<'_>,
        answer: &AnswerSettings,
    ) -> Result<Self, Error> {
        let reading = ReadingSettings::load(assets, folder)?;
        let settings = TokenizerSettings::load(assets, folder)?;
        let TokenizerFile {
            mut tokenizer,
            file,
            truncation,
        } = TokenizerFile::load(assets, folder, bounds.vocabulary)?;
        let direction = settings.truncation.or(truncation).unwrap_or_default();
        settings.apply(&mut tokenizer, bounds.tokenizer_class)?;
        if reading.lowercase {
            lowercase(&mut tokenizer)?;
        }

        let max_tokens = reading
            .max_tokens
            .or(settings.max_tokens)
            .unwrap_or(usize::MAX)
            .min(bounds.positions);
        let special_tokens = tokenizer
            .get_post_processor()
            .map_or(0, |processor| processor.added_tokens(false));
        if special_tokens >= max_tokens {
            return Err(error::tokenizer(format!(
                "expected room for text in {max_tokens} positions; the template of `{file}` adds \
                 {special_tokens} tokens"
            )));
        }
        tokenizer
            .with_truncation(Some(TruncationParams {
                // Without special tokens the library stops as soon as it has enough, and then
                // cannot say whether there was more: so it is asked for one too many.
                max_length: max_tokens + usize::from(special_tokens == 0),
                direction,
                ..TruncationParams::default()
            }))
            .map_err(|found| error::tokenizer(format!("cannot use `{file}`: {found}")))?;
        let mut tokenizer = SentenceTokenizer {
            tokenizer,
            max_tokens,
            cuts_the_beginning: matches!(direction, TruncationDirection::Left),
            prompt: answer.prompt.clone(),
            prompt_tokens: 0,
        };
        tokenizer.measure_prompt()?;
        Ok(tokenizer)
    }

    /// Returns the length of the longest input in tokens, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Returns how many tokens come before a text's own: the prompt's, and the special tokens before it.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt_tokens
    }

    /// Returns the ids of one text, special tokens and the prompt's included. When there are too many, the text is
    /// cut and the special tokens stay: at its end or, where the tokenizer says so, at its beginning.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when the text cannot be tokenized.
    pub fn tokenize(&self, text: &str) -> Result<Tokens, Error> {
        let encoding = if self.prompt.is_empty() {
            self.tokenizer.encode_fast(text, true)
        } else {
            self.tokenizer
                .encode_fast([&self.prompt, text].concat(), true)
        }
        .map_err(|found| error::tokenizer(format!("cannot tokenize: {found}")))?;
        let mut ids = encoding.get_ids().to_vec();
        let truncated = ids.len() > self.max_tokens || !encoding.get_overflowing().is_empty();
        if self.cuts_the_beginning {
            ids.drain(..ids.len().saturating_sub(self.max_tokens));
        }
        ids.truncate(self.max_tokens);
        Ok(Tokens { ids, truncated })
    }

    /// Counts the prompt's tokens as sentence-transformers does: all of the prompt alone, but for a special token at
    /// the end.
    fn measure_prompt(&mut self) -> Result<(), Error> {
        if self.prompt.is_empty() {
            return Ok(());
        }
        let Tokens { ids, truncated } = self.tokenize("")?;
        if truncated {
            return Err(error::config(format!(
                "the prompt that `default_prompt_name` names is longer than the {} tokens that the model reads: it \
                 leaves no room for a text",
                self.max_tokens
            )));
        }
        let added = self.tokenizer.get_added_tokens_decoder();
        let ends_special = ids
            .last()
            .and_then(|id| added.get(id))
            .is_some_and(|token| token.special);
        self.prompt_tokens = ids.len() - usize::from(ends_special);
        Ok(())
    }
}

/// Lowercases texts before the tokenizer's own normalisation, as sentence-transformers does.
fn lowercase(tokenizer: &mut Tokenizer) -> Result<(), Error> {
    let mut normalizers = match tokenizer.get_normalizer() {
        None => Vec::new(),
        Some(NormalizerWrapper::Sequence(sequence)) => sequence.as_ref().to_vec(),
        Some(NormalizerWrapper::Lowercase(_)) => return Ok(()),
        Some(other) => vec![other.clone()],
    };
    let lowercases = |part: &NormalizerWrapper| matches!(part, NormalizerWrapper::Lowercase(_));
    if normalizers.iter().any(lowercases) {
        return Ok(());
    }
    normalizers.insert(0, NormalizerWrapper::Lowercase(Lowercase));
    tokenizer
        .with_normalizer(Some(Sequence::new(normalizers)))
        .map(|_| ())
        .map_err(|found| error::tokenizer(format!("cannot use the normalizer: {found}")))
}
