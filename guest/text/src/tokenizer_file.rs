//! `tokenizer.json`: read within a bound, and checked against the network.

use ampoule_guest::{Assets, Error};
use ampoule_model_files::error;
use ampoule_model_files::json_file::{in_folder, quoted};
use tokenizers::pre_tokenizers::split::SplitPattern;
use tokenizers::utils::truncation::TruncationDirection;
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

use crate::ambiguous_pattern::ambiguous_part;

const FILE: &str = "tokenizer.json";

/// The tokenizers of large multilingual models are some 20 MB.
const MAX_BYTES: usize = 64 << 20;

/// A tokenizer that neither pads nor cuts: such settings of the file are those of somebody's training run, and
/// transformers ignores them too.
pub(crate) struct TokenizerFile {
    pub(crate) tokenizer: Tokenizer,
    /// The file's path in the bundle.
    pub(crate) file: String,
    /// The end of a text that the file's own truncation cuts, where it has one.
    pub(crate) truncation: Option<TruncationDirection>,
}

impl TokenizerFile {
    /// Reads the file in `folder`, where `""` is the bundle's own, for a network that has embeddings for
    /// `vocabulary` tokens.
    ///
    /// # Errors
    ///
    /// `model.tokenizer` when the file does not parse, has more tokens than the network, or has a pattern that its
    /// publisher's engine reads otherwise; `asset.*`; `model.file-size`.
    pub(crate) fn load(assets: &Assets, folder: &str, vocabulary: usize) -> Result<Self, Error> {
        let file = in_folder(folder, FILE);
        let mut tokenizer = Tokenizer::from_bytes(assets.read_to_vec(&file, MAX_BYTES)?)
            .map_err(|found| error::tokenizer(format!("cannot read `{file}`: {found}")))?;
        let found = tokenizer.get_vocab_size(true);
        if found > vocabulary {
            return Err(error::tokenizer(format!(
                "expected at most {vocabulary} tokens, as `config.json` has it, in `{file}`, found {found}"
            )));
        }
        check_patterns(&tokenizer, &file)?;
        let truncation = tokenizer.get_truncation().map(|cut| cut.direction);
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|found| error::tokenizer(format!("cannot use `{file}`: {found}")))?;
        Ok(TokenizerFile {
            tokenizer,
            file,
            truncation,
        })
    }
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
