//! Tokens of many texts.

use ampoule::{Model, SandboxReport, Task, Tokens, Usage};

use crate::core::input_checks;
use crate::core::place::Place;
use crate::core::properties::Properties;
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
///
/// # Errors
///
/// Those of the library; one about the length of a text is found before anything is computed.
pub(crate) async fn texts(
    model: &Model,
    context: &Context,
    texts: &[String],
    place: Place<'_>,
) -> Result<Tokenized, ApiError> {
    input_checks::check_texts(Task::TextTokenization, model, context, texts, place)?;
    let mut all = Tokenized {
        tokens: Vec::with_capacity(texts.len()),
        reports: Vec::new(),
    };
    for (part, batch) in texts.chunks(TEXTS_PER_SANDBOX).enumerate() {
        let begin = part * TEXTS_PER_SANDBOX;
        let call = context.ask(Task::TextTokenization, model, model.tokenize(batch));
        let answer = call.await.map_err(|error| {
            let range = begin..begin + batch.len();
            place.name(&range, texts.len(), error.into())
        })?;
        context.note(&answer.sandbox, Usage::default());
        all.tokens.extend(answer.output);
        all.reports.push(answer.sandbox);
    }
    Ok(all)
}

/// Finds the first text that is longer than the model reads, by the model's own tokenizer. Returns `None` where the
/// model has none for this caller.
///
/// # Errors
///
/// As those of [`texts`].
pub(crate) async fn first_cut(
    model: &Model,
    context: &Context,
    texts: &[String],
    place: Place<'_>,
) -> Result<Option<usize>, ApiError> {
    if !context.tasks_of(model).contains(&Task::TextTokenization) {
        return Ok(None);
    }
    // A token has a byte of its text at least, but for rare characters that a tokenizer takes apart.
    let most = Properties::of(model.info()).max_tokens().unwrap_or(0);
    let may_be_cut = |text: &str| text.len() as u64 >= most;
    let long = texts.iter().map(String::as_str).enumerate();
    let long: Vec<(usize, &str)> = long.filter(|(_, text)| may_be_cut(text)).collect();
    for batch in long.chunks(TEXTS_PER_SANDBOX) {
        let (indices, batch): (Vec<usize>, Vec<&str>) = batch.iter().copied().unzip();
        let call = context.ask(Task::TextTokenization, model, model.tokenize(&batch));
        let answer = call.await.map_err(|error| {
            let first = indices.first().map_or(0, |index| *index);
            let last = indices.last().map_or(0, |index| *index);
            place.name(&(first..last + 1), texts.len(), error.into())
        })?;
        context.note(&answer.sandbox, Usage::default());
        let cut = answer.output.iter().position(|tokens| tokens.is_truncated);
        if let Some(index) = cut.and_then(|cut| indices.get(cut)) {
            return Ok(Some(*index));
        }
    }
    Ok(None)
}
