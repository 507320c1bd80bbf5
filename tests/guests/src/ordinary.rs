//! Ordinary behaviour, for all that a guest does not mean to do in a special way.

use crate::lifecycle::ModelInfo;
use crate::{Embeddings, Error, Usage};

/// An `init` with nothing to do.
///
/// # Errors
///
/// Never.
pub fn init() -> Result<(), Error> {
    Ok(())
}

/// Names the architecture `test` and states no facts.
#[must_use]
pub fn describe() -> ModelInfo {
    ModelInfo {
        architecture: "test".to_owned(),
        properties: Vec::new(),
    }
}

/// A well-formed answer of `embed` that gives every text the vector `row`. Guests that were sent to
/// find something out report it this way.
#[must_use]
pub fn embeddings(texts: &[String], row: &[f32]) -> Embeddings {
    Embeddings {
        dimensions: u32::try_from(row.len()).unwrap_or(u32::MAX),
        values: row.repeat(texts.len()),
        truncated: vec![false; texts.len()],
        usage: usage(texts),
    }
}

/// Takes each byte for a token.
#[must_use]
pub fn usage(texts: &[String]) -> Usage {
    let bytes: usize = texts.iter().map(String::len).sum();
    Usage {
        input_tokens: u32::try_from(bytes).unwrap_or(u32::MAX),
        output_tokens: 0,
    }
}

/// The number that the first text spells, or `default`: how a test says how much is too much.
#[must_use]
pub fn amount(texts: &[String], default: usize) -> usize {
    texts
        .first()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// A guest's error.
#[must_use]
pub fn error(code: &str, message: impl Into<String>) -> Error {
    Error {
        code: code.to_owned(),
        message: message.into(),
    }
}
