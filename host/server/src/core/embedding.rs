//! Embeddings of many texts or pictures, spread over sandboxes.

use std::ops::Range;
use std::thread::available_parallelism;

use ampoule::{Image, InputChecks as _, Model, ModelInfo, SandboxReport, Usage};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::core::properties::Properties;
use crate::error::ApiError;
use crate::request::context::Context;

/// Inputs for one sandbox. A sandbox costs microseconds and a text milliseconds, so small batches cost nothing, and a
/// caller with a thousand texts lets others in between two.
const INPUTS_PER_SANDBOX: usize = 16;

/// Vectors of one request, in its order.
#[derive(Debug)]
pub(crate) struct Embeddings {
    pub(crate) dimensions: usize,
    /// One vector after the other.
    pub(crate) values: Vec<f32>,
    /// Tells of each text if the model read only its beginning. Empty for pictures.
    pub(crate) truncated: Vec<bool>,
    pub(crate) usage: Usage,
    /// The cost of each sandbox, in the order of the texts.
    pub(crate) reports: Vec<SandboxReport>,
}

impl Embeddings {
    pub(crate) fn vectors(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimensions.max(1))
    }

    /// Gives the vectors this length: their own, or a shorter one for which the model was trained.
    ///
    /// # Errors
    ///
    /// `input.invalid`. A vector of any other length would be worse than none and look as good.
    pub(crate) fn shorten(&mut self, info: &ModelInfo, asked: u64) -> Result<(), ApiError> {
        let own = self.dimensions;
        let trained = Properties::of(info).shorter_dimensions(own);
        match usize::try_from(asked) {
            Ok(asked) if asked == own => Ok(()),
            Ok(asked) if trained.contains(&asked) => {
                self.cut(asked);
                Ok(())
            }
            _ => {
                let lengths: Vec<String> = trained.iter().map(usize::to_string).collect();
                let way_out = if lengths.is_empty() {
                    "cannot be cut".to_owned()
                } else {
                    format!("can be cut to {}", lengths.join(", "))
                };
                Err(ApiError::invalid(
                    "dimensions",
                    format!(
                        "this model's vectors have {own} values and {way_out}; {asked} were asked for"
                    ),
                ))
            }
        }
    }

    /// Scales each vector to length 1; one of zeros stays as it is.
    pub(crate) fn normalize(&mut self) {
        let dimensions = self.dimensions.max(1);
        for vector in self.values.chunks_exact_mut(dimensions) {
            let squares = vector.iter().map(|value| f64::from(*value).powi(2));
            let length = squares.sum::<f64>().sqrt();
            if length > 0.0 {
                for value in vector {
                    #[allow(clippy::cast_possible_truncation, reason = "the quotient is at most 1")]
                    let scaled = (f64::from(*value) / length) as f32;
                    *value = scaled;
                }
            }
        }
    }

    /// Cuts each vector to its first `dimensions` values, and then scales it.
    fn cut(&mut self, dimensions: usize) {
        let heads = self
            .vectors()
            .flat_map(|vector| vector.iter().take(dimensions));
        self.values = heads.copied().collect();
        self.dimensions = dimensions;
        self.normalize();
    }
}

/// Embeds texts in as many sandboxes as keep all cores at work, at most one for each core at a time.
///
/// # Errors
///
/// Those of the library; one about the input is found before anything is computed.
pub(crate) async fn texts(
    model: &Model,
    context: &Context,
    texts: &[String],
) -> Result<Embeddings, ApiError> {
    for (index, text) in texts.iter().enumerate() {
        let checked = model.limits().check_text(text);
        checked.map_err(|error| among(texts.len(), &(index..index + 1), error.into()))?;
    }
    let parts = spread(texts.len(), |range| {
        let batch = &texts[range];
        async move {
            let answer = model.embed_text(batch).await?;
            Ok(Part {
                dimensions: answer.output.dimensions,
                values: answer.output.values,
                truncated: answer.output.truncated,
                usage: answer.output.usage,
                report: answer.sandbox,
            })
        }
    });
    join(context, parts.await?)
}

/// Embeds pictures, spread as texts are.
///
/// # Errors
///
/// Those of the library; one about the input is found before anything is computed.
pub(crate) async fn images(
    model: &Model,
    context: &Context,
    images: Vec<Image>,
) -> Result<Embeddings, ApiError> {
    model.limits().check_image_count(images.len())?;
    for (index, image) in images.iter().enumerate() {
        let checked = model.limits().check_image(image);
        checked.map_err(|error| among(images.len(), &(index..index + 1), error.into()))?;
    }
    let parts = spread(images.len(), |range| {
        let batch = images[range].to_vec();
        async move {
            let answer = model.embed_images(batch).await?;
            Ok(Part {
                dimensions: answer.output.dimensions,
                values: answer.output.values,
                truncated: Vec::new(),
                usage: answer.output.usage,
                report: answer.sandbox,
            })
        }
    });
    // The model's word for too large is one for texts and pictures.
    let parts = parts.await.map_err(|error| ApiError {
        is_too_long: false,
        ..error
    })?;
    join(context, parts)
}

/// Vectors from one sandbox.
struct Part {
    dimensions: usize,
    values: Vec<f32>,
    truncated: Vec<bool>,
    usage: Usage,
    report: SandboxReport,
}

/// Asks for parts of `count` inputs, as many at a time as there are cores, and returns them in the order of the inputs.
async fn spread<F>(count: usize, ask: impl Fn(Range<usize>) -> F) -> Result<Vec<Part>, ApiError>
where
    F: Future<Output = Result<Part, ampoule::Error>>,
{
    let cores = available_parallelism().map_or(1, usize::from);
    let parts = batches(count, cores).into_iter().map(|range| {
        let part = ask(range.clone());
        async move {
            part.await
                .map_err(|error| among(count, &range, error.into()))
        }
    });
    stream::iter(parts).buffered(cores).try_collect().await
}

/// Says in an error of some inputs which of the request's they are. The library knows only those that it was given.
fn among(count: usize, range: &Range<usize>, mut error: ApiError) -> ApiError {
    let is_of_inputs = error.code.starts_with("input.") || error.code.starts_with("guest.");
    if is_of_inputs && range.len() < count {
        let which = match range.len() {
            1 => format!("input {}", range.start),
            _ => format!("inputs {} to {}", range.start, range.end - 1),
        };
        error.message = format!("in {which}, counted from 0: {}", error.message);
    }
    error
}

fn join(context: &Context, parts: Vec<Part>) -> Result<Embeddings, ApiError> {
    let dimensions = parts.first().map_or(0, |part| part.dimensions);
    let mut all = Embeddings {
        dimensions,
        values: Vec::with_capacity(parts.iter().map(|part| part.values.len()).sum()),
        truncated: Vec::with_capacity(parts.iter().map(|part| part.truncated.len()).sum()),
        usage: Usage::default(),
        reports: Vec::with_capacity(parts.len()),
    };
    for part in parts {
        context.note(&part.report, part.usage);
        if part.dimensions == 0 {
            return Err(ApiError::broken_answer(
                "the model gave vectors without values; tell its publisher",
            ));
        }
        if part.dimensions != dimensions {
            return Err(ApiError::broken_answer(
                "the model gave vectors of different lengths; tell its publisher",
            ));
        }
        all.values.extend(part.values);
        all.truncated.extend(part.truncated);
        let tokens = &mut all.usage.input_tokens;
        *tokens = tokens.saturating_add(part.usage.input_tokens);
        all.reports.push(part.report);
    }
    Ok(all)
}

/// Cuts `count` inputs into ranges: for few inputs one range for each core, for many of them ranges of
/// [`INPUTS_PER_SANDBOX`].
fn batches(count: usize, cores: usize) -> Vec<Range<usize>> {
    let size = count.div_ceil(cores.max(1)).clamp(1, INPUTS_PER_SANDBOX);
    (0..count)
        .step_by(size)
        .map(|start| start..count.min(start + size))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_spread_over_all_cores_in_order_and_in_small_batches() {
        assert!(batches(0, 2).is_empty());
        assert_eq!(batches(2, 2), [0..1, 1..2]);
        assert_eq!(batches(3, 2), [0..2, 2..3]);
        for (count, cores) in [(1_000, 2), (17, 1), (64, 8), (5, 64)] {
            let ranges = batches(count, cores);
            let covered: Vec<usize> = ranges.iter().cloned().flatten().collect();
            assert_eq!(covered, (0..count).collect::<Vec<_>>());
            assert!(ranges.iter().all(|range| range.len() <= INPUTS_PER_SANDBOX));
            assert!(ranges.len() >= count.min(cores));
        }
    }

    #[test]
    fn a_vector_is_cut_first_and_scaled_then_to_lengths_that_the_model_names() {
        let mut embeddings = Embeddings {
            dimensions: 3,
            values: vec![3.0, 4.0, 12.0, 0.0, 0.0, 1.0],
            truncated: Vec::new(),
            usage: Usage::default(),
            reports: Vec::new(),
        };
        let info = ModelInfo {
            properties: vec![(
                "embedding.matryoshka-dimensions".to_owned(),
                "0, 2,3,4,-1,".to_owned(),
            )],
            ..ModelInfo::default()
        };
        for asked in [0, 1, 4, u64::MAX] {
            let error = embeddings.shorten(&info, asked).unwrap_err();
            assert!(
                error.message.contains("can be cut to 2;"),
                "{}",
                error.message
            );
        }
        let error = embeddings.shorten(&ModelInfo::default(), 2).unwrap_err();
        assert!(error.message.contains("cannot be cut"), "{}", error.message);
        embeddings.shorten(&info, 3).unwrap();
        assert_eq!(
            embeddings.values.len(),
            6,
            "their own length changes nothing"
        );
        embeddings.shorten(&info, 2).unwrap();
        assert_eq!(embeddings.dimensions, 2);
        assert_eq!(embeddings.values, [0.6, 0.8, 0.0, 0.0]);
    }
}
