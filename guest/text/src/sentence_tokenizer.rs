//! `tokenizer.json`: from text to token ids.

use ampoule_guest::{Assets, Error, Tokens};
use ampoule_nn::json_file::{in_folder, quoted};
use ampoule_nn::{AnswerSettings, ReadingSettings, ambiguous_part, error};
use tokenizers::normalizers::{Lowercase, Sequence};
use tokenizers::pre_tokenizers::split::SplitPattern;
use tokenizers::utils::truncation::TruncationDirection;
use tokenizers::{
    NormalizerWrapper, PostProcessor as _, PreTokenizerWrapper, Tokenizer, TruncationParams,
};

use crate::config::Config;
use crate::tokenizer_settings::TokenizerSettings;

const FILE: &str = "tokenizer.json";

/// The tokenizers of large multilingual encoders are some 20 MB.
const MAX_BYTES: usize = 64 << 20;

/// A tokenizer that puts the model's prompt in front, cuts at the model's length, and never pads.
pub(crate) struct Tokenization {
    tokenizer: Tokenizer,
    max_tokens: usize,
    cuts_the_beginning: bool,
    prompt: String,
    prompt_tokens: usize,
}

impl Tokenization {
    /// Reads the tokenizer in the transformer's `folder`. Its own settings for padding and its own length are those of
    /// somebody's training run, so they are ignored, as transformers ignores them. A text is cut at
    ///
    /// * `max_seq_length` of `sentence_bert_config.json`, or else
    /// * `model_max_length` of `tokenizer_config.json`,
    ///
    /// and in any case at the number of positions that the model has.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when it does not parse, does not fit the model, or would make other tokens for its
    /// publisher; `model.config` when the files of settings are wrong; `asset.*`; `model.file-size`.
    pub(crate) fn load(
        assets: &Assets,
        folder: &str,
        config: &Config,
        answer: &AnswerSettings,
    ) -> Result<Self, Error> {
        let reading = ReadingSettings::load(assets, folder)?;
        let settings = TokenizerSettings::load(assets, folder)?;
        let file = in_folder(folder, FILE);
        let mut tokenizer = Tokenizer::from_bytes(assets.read_to_vec(&file, MAX_BYTES)?)
            .map_err(|found| error::tokenizer(format!("cannot read `{file}`: {found}")))?;
        let vocabulary = tokenizer.get_vocab_size(true);
        if vocabulary > config.vocab_size {
            return Err(error::tokenizer(format!(
                "expected at most {} tokens, as `config.json` has it, in `{file}`, found \
                 {vocabulary}",
                config.vocab_size
            )));
        }
        check_patterns(&tokenizer, &file)?;
        let direction = settings
            .truncation
            .or_else(|| Some(tokenizer.get_truncation()?.direction))
            .unwrap_or_default();
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|found| error::tokenizer(format!("cannot use `{file}`: {found}")))?;
        settings.apply(&mut tokenizer, config.tokenizer_class.as_deref())?;
        if reading.lowercase {
            lowercase(&mut tokenizer)?;
        }

        let max_tokens = reading
            .max_tokens
            .or(settings.max_tokens)
            .unwrap_or(usize::MAX)
            .min(config.max_position_embeddings);
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
        let mut tokenization = Tokenization {
            tokenizer,
            max_tokens,
            cuts_the_beginning: matches!(direction, TruncationDirection::Left),
            prompt: answer.prompt.clone(),
            prompt_tokens: 0,
        };
        tokenization.measure_prompt()?;
        Ok(tokenization)
    }

    /// The longest input in tokens, special tokens included.
    pub(crate) fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Tokens in front of a text's own: the prompt's, and the special tokens before it.
    pub(crate) fn prompt_tokens(&self) -> usize {
        self.prompt_tokens
    }

    /// The ids of one text, special tokens and the prompt's included. When there are too many, it is the text that
    /// is cut, at its end or, where the tokenizer says so, at its beginning, and not the special tokens.
    pub(crate) fn tokenize(&self, text: &str) -> Result<Tokens, Error> {
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

/// Refuses patterns that the publisher's engine reads otherwise.
fn check_patterns(tokenizer: &Tokenizer, file: &str) -> Result<(), Error> {
    let mut patterns = Vec::new();
    if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
        split_patterns(pre_tokenizer, &mut patterns);
    }
    if let Some(normalizer) = tokenizer.get_normalizer() {
        replace_patterns(normalizer, &mut patterns);
    }
    for pattern in patterns {
        if let Some(part) = ambiguous_part(&pattern) {
            return Err(error::tokenizer(format!(
                "`{file}` has the pattern `{}`, of which Python's tokenizers read `{}` otherwise than this guest, so \
                 that texts would have other tokens: write it without",
                quoted(&pattern),
                quoted(&part)
            )));
        }
    }
    Ok(())
}

fn split_patterns(pre_tokenizer: &PreTokenizerWrapper, patterns: &mut Vec<String>) {
    match pre_tokenizer {
        PreTokenizerWrapper::Sequence(parts) => {
            for part in parts.as_ref() {
                split_patterns(part, patterns);
            }
        }
        PreTokenizerWrapper::Split(split) => {
            if let SplitPattern::Regex(pattern) = &split.pattern {
                patterns.push(pattern.clone());
            }
        }
        _ => {}
    }
}

fn replace_patterns(normalizer: &NormalizerWrapper, patterns: &mut Vec<String>) {
    match normalizer {
        NormalizerWrapper::Sequence(parts) => {
            for part in parts.as_ref() {
                replace_patterns(part, patterns);
            }
        }
        NormalizerWrapper::Replace(replace) => {
            // The library shows it in no other way.
            let shown = serde_json::to_value(replace).unwrap_or_default();
            if let Some(pattern) = shown["pattern"]["Regex"].as_str() {
                patterns.push(pattern.to_owned());
            }
        }
        _ => {}
    }
}
