//! Tokens of many texts.

use ampoule::{Model, SandboxReport, Tokens, Usage};

use crate::error::ApiError;
use crate::request::context::Context;

/// Texts for one sandbox. Tokenizing takes microseconds a text, and a host allows 256 texts in one call by default.
const TEXTS_PER_SANDBOX: usize = 64;

/// Tokens of one request, in its order.
#[derive(Debug)]
pub(crate) struct Tokenized {
    pub(crate) tokens: Vec<Tokens>,
    /// The cost of each sandbox, in the order of the texts.
    pub(crate) reports: Vec<SandboxReport>,
}

/// Tokenizes texts, in one sandbox after the other.
pub(crate) async fn texts(
    model: &Model,
    context: &Context,
    texts: &[String],
) -> Result<Tokenized, ApiError> {
    let mut all = Tokenized {
        tokens: Vec::with_capacity(texts.len()),
        reports: Vec::new(),
    };
    for batch in texts.chunks(TEXTS_PER_SANDBOX) {
        let answer = model.tokenize(batch).await?;
        context.note(&answer.sandbox, Usage::default());
        all.tokens.extend(answer.output);
        all.reports.push(answer.sandbox);
    }
    Ok(all)
}
