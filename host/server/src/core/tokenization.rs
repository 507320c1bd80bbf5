//! Tokens of many texts.

use std::ops::Range;

use ampoule::{Answer, Model, SandboxReport, Task, Tokens, Usage};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::core::cores::cores;
use crate::core::place::Place;
use crate::core::properties::Properties;
use crate::core::{batches, input_checks};
use crate::error::ApiError;
use crate::request::context::Context;

/// Most texts for one sandbox. Tokenizing takes microseconds a short text, so few of them are not spread over the cores.
const TEXTS_PER_SANDBOX: usize = 64;

/// Tokens of one request, in its order.
#[derive(Debug)]
pub(crate) struct Tokenized {
    pub(crate) tokens: Vec<Tokens>,
    /// The cost of each sandbox, in the order of the texts.
    pub(crate) reports: Vec<SandboxReport>,
}

/// Tokenizes texts in sandboxes, at most one for each core at a time.
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
    let ask = |range: Range<usize>| async move {
        let answer = ask(model, context, &texts[range.clone()]).await;
        answer.map_err(|error| place.name(&range, texts.len(), error))
    };
    let lengths = texts.iter().map(String::len);
    let parts = batches::of_texts(lengths, TEXTS_PER_SANDBOX, model.limits());
    // Nothing of a part is done before the stream asks for it.
    let parts: Vec<_> = parts.into_iter().map(ask).collect();
    let mut parts = stream::iter(parts).buffered(cores());
    let mut all = Tokenized {
        tokens: Vec::with_capacity(texts.len()),
        reports: Vec::new(),
    };
    while let Some(answer) = parts.try_next().await? {
        all.tokens.extend(answer.output);
        all.reports.push(answer.sandbox);
    }
    Ok(all)
}

/// Finds the first text that is longer than the model reads, by the model's own tokenizer. Returns `None` where the
/// model has none for this caller. The sandbox that finds the text ends those that run.
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
    let (indices, long): (Vec<usize>, Vec<&str>) = long.into_iter().unzip();
    let (indices, long) = (indices.as_slice(), long.as_slice());
    let ask = |range: Range<usize>| async move {
        let (indices, batch) = (&indices[range.clone()], &long[range]);
        let answer = ask(model, context, batch).await.map_err(|error| {
            let first = indices.first().map_or(0, |index| *index);
            let last = indices.last().map_or(0, |index| *index);
            place.name(&(first..last + 1), texts.len(), error)
        })?;
        let cut = answer.output.iter().position(|tokens| tokens.is_truncated);
        let cut = cut.and_then(|cut| indices.get(cut)).copied();
        Ok::<Option<usize>, ApiError>(cut)
    };
    let lengths = long.iter().map(|text| text.len());
    let parts = batches::of_texts(lengths, TEXTS_PER_SANDBOX, model.limits());
    let parts: Vec<_> = parts.into_iter().map(ask).collect();
    let mut parts = stream::iter(parts).buffered(cores());
    while let Some(cut) = parts.try_next().await? {
        if cut.is_some() {
            return Ok(cut);
        }
    }
    Ok(None)
}

/// Tokenizes texts in one sandbox.
async fn ask(
    model: &Model,
    context: &Context,
    texts: &[impl AsRef<str>],
) -> Result<Answer<Vec<Tokens>>, ApiError> {
    let call = context.ask(Task::TextTokenization, model, model.tokenize(texts));
    let answer = call.await?;
    context.note(&answer.sandbox, Usage::default());
    Ok(answer)
}
