//! Embeddings of many texts, spread over sandboxes.

use std::ops::Range;
use std::thread::available_parallelism;

use ampoule::{Answer, Image, Model, SandboxReport, TextEmbeddings, Usage};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::error::ApiError;
use crate::http::context::Context;

/// Texts for one sandbox. A sandbox costs microseconds and a text milliseconds, so small batches cost nothing, and a
/// caller with a thousand texts lets others in between two.
const TEXTS_PER_SANDBOX: usize = 16;

/// Vectors of one request, in its order.
#[derive(Debug)]
pub(crate) struct Embeddings {
    pub(crate) dimensions: usize,
    /// One vector after the other.
    pub(crate) values: Vec<f32>,
    /// Whether the model read only the beginning of a text, by text. Empty for pictures.
    pub(crate) truncated: Vec<bool>,
    pub(crate) usage: Usage,
    /// The cost of each sandbox, in the order of the texts.
    pub(crate) reports: Vec<SandboxReport>,
}

impl Embeddings {
    pub(crate) fn vectors(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimensions.max(1))
    }

    /// Cuts each vector to its first `dimensions` values and scales it to length 1 again.
    pub(crate) fn cut(&mut self, dimensions: usize) {
        let cut = self.vectors().flat_map(|vector| {
            let head = &vector[..dimensions.min(vector.len())];
            let length = head
                .iter()
                .map(|v| f64::from(*v) * f64::from(*v))
                .sum::<f64>()
                .sqrt();
            let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
            #[allow(clippy::cast_possible_truncation, reason = "the quotient is at most 1")]
            head.iter()
                .map(move |value| (f64::from(*value) * scale) as f32)
        });
        self.values = cut.collect();
        self.dimensions = dimensions;
    }
}

/// Embeds texts in as many sandboxes as keep all cores at work, at most one for each core at a time.
pub(crate) async fn texts(
    model: &Model,
    context: &Context,
    texts: &[String],
) -> Result<Embeddings, ApiError> {
    let cores = available_parallelism().map_or(1, usize::from);
    let answers = stream::iter(batches(texts.len(), cores).into_iter().map(|range| {
        let batch = &texts[range];
        async move { model.embed_text(batch).await }
    }));
    let answers: Vec<Answer<TextEmbeddings>> = answers.buffered(cores).try_collect().await?;
    let mut all = Embeddings {
        dimensions: answers.first().map_or(0, |answer| answer.output.dimensions),
        values: Vec::with_capacity(
            answers
                .iter()
                .map(|answer| answer.output.values.len())
                .sum(),
        ),
        truncated: Vec::with_capacity(texts.len()),
        usage: Usage::default(),
        reports: Vec::with_capacity(answers.len()),
    };
    for answer in answers {
        if answer.output.dimensions != all.dimensions {
            return Err(ApiError::broken_answer(
                "the model gave vectors of different lengths",
            ));
        }
        context.note(&answer.sandbox, answer.output.usage);
        all.values.extend(answer.output.values);
        all.truncated.extend(answer.output.truncated);
        all.usage.input_tokens = all
            .usage
            .input_tokens
            .saturating_add(answer.output.usage.input_tokens);
        all.reports.push(answer.sandbox);
    }
    check_finite(&all)?;
    Ok(all)
}

/// Embeds pictures, in one sandbox.
pub(crate) async fn images(
    model: &Model,
    context: &Context,
    images: Vec<Image>,
) -> Result<Embeddings, ApiError> {
    let answer = model.embed_images(images).await?;
    context.note(&answer.sandbox, answer.output.usage);
    let all = Embeddings {
        dimensions: answer.output.dimensions,
        values: answer.output.values,
        truncated: Vec::new(),
        usage: answer.output.usage,
        reports: vec![answer.sandbox],
    };
    check_finite(&all)?;
    Ok(all)
}

/// Cuts `count` texts into ranges: for few texts one range for each core, for many of them ranges of
/// [`TEXTS_PER_SANDBOX`].
fn batches(count: usize, cores: usize) -> Vec<Range<usize>> {
    let size = count.div_ceil(cores.max(1)).clamp(1, TEXTS_PER_SANDBOX);
    (0..count)
        .step_by(size)
        .map(|start| start..count.min(start + size))
        .collect()
}

/// Refuses vectors with numbers that JSON would write as `null`, which clients store.
fn check_finite(embeddings: &Embeddings) -> Result<(), ApiError> {
    let is_broken = |vector: &[f32]| vector.iter().any(|value| !value.is_finite());
    match embeddings.vectors().position(is_broken) {
        Some(index) => Err(ApiError::broken_answer(format!(
            "the model's vector for item {index} holds a value that is no finite number; tell its publisher"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_spread_over_all_cores_in_order_and_in_small_batches() {
        assert!(batches(0, 2).is_empty());
        assert_eq!(batches(1, 2), [0..1]);
        assert_eq!(batches(3, 2), [0..2, 2..3]);
        for (count, cores) in [(1_000, 2), (17, 1), (64, 8), (5, 64)] {
            let ranges = batches(count, cores);
            let covered: Vec<usize> = ranges.iter().cloned().flatten().collect();
            assert_eq!(covered, (0..count).collect::<Vec<_>>());
            assert!(ranges.iter().all(|range| range.len() <= TEXTS_PER_SANDBOX));
            assert!(ranges.len() >= count.min(cores));
        }
    }
}
