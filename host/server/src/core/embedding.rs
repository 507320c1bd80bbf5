//! Embeddings of many texts or pictures, spread over sandboxes.

use std::ops::Range;

use ampoule::{Image, InputChecks as _, Model, SandboxReport, Task, Usage};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::core::cores::cores;
use crate::core::kept::{KeptVectors, Lookup};
use crate::core::place::Place;
use crate::core::properties::Properties;
use crate::core::{batches, input_checks, question, tokenization};
use crate::error::ApiError;
use crate::request::context::Context;
use crate::said::{Said, said};

/// Inputs for one sandbox. A sandbox costs microseconds and a text milliseconds, so small batches cost nothing, and a
/// caller with a thousand texts lets others in between two.
const INPUTS_PER_SANDBOX: usize = 16;

/// Demands of a request on its vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demands<'d> {
    /// The place of the inputs.
    pub(crate) place: Place<'d>,
    /// Values of each vector: the model's own number, which is taken where this is absent, or a lower one for which the
    /// model was trained.
    pub(crate) dimensions: Option<u64>,
    pub(crate) long_texts: LongTexts,
}

/// The treatment of texts that are longer than the model reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LongTexts {
    /// Their beginnings are embedded.
    Cut,
    /// They are refused. The text follows "shorten it".
    Refuse { way_out: &'static str },
}

/// Vectors of one request, in its order.
#[derive(Debug)]
pub(crate) struct Embeddings {
    pub(crate) dimensions: usize,
    /// One vector after the other.
    pub(crate) values: Vec<f32>,
    /// Tells of each text if the model read only its beginning. Empty for pictures.
    pub(crate) truncated: Vec<bool>,
    pub(crate) usage: Usage,
    /// The cost of each sandbox, in the order of the texts. Vectors that were kept have cost none.
    pub(crate) reports: Vec<SandboxReport>,
}

impl LongTexts {
    /// Reads the field `truncate` of a request: false refuses, and true, or no word, cuts.
    pub(crate) fn of(truncate: Option<bool>) -> Self {
        match truncate {
            Some(false) => Self::Refuse {
                way_out: ", or let `truncate` be true",
            },
            Some(true) | None => Self::Cut,
        }
    }
}

impl<'d> Demands<'d> {
    /// Makes the demands of a request that only says its inputs.
    pub(crate) fn none(place: Place<'d>) -> Self {
        Self {
            place,
            dimensions: None,
            long_texts: LongTexts::Cut,
        }
    }

    /// Refuses a number of values that the model's vectors cannot have, where the model states their length. A model that
    /// embeds texts and pictures states one length for both, which is true of one of them.
    fn check_stated_length(self, model: &Model) -> Result<(), ApiError> {
        let is_of_both = [Task::TextEmbedding, Task::ImageEmbedding]
            .iter()
            .all(|task| model.tasks().contains(task));
        let properties = Properties::of(model.info());
        match properties.dimensions() {
            Some(own) if !is_of_both => self.length(properties, own).map(drop),
            _ => Ok(()),
        }
    }

    /// Returns the number of values that vectors of `own` values are to have.
    ///
    /// # Errors
    ///
    /// `input.invalid`. A vector of any other length would be worse than none and look as good.
    fn length(self, properties: Properties<'_>, own: usize) -> Result<usize, ApiError> {
        let Some(asked) = self.dimensions else {
            return Ok(own);
        };
        let shorter = properties.shorter_dimensions(own);
        match usize::try_from(asked) {
            Ok(asked) if asked == own || shorter.contains(&asked) => Ok(asked),
            _ => {
                let way_out = if shorter.is_empty() {
                    "cannot be cut".into()
                } else {
                    said!("can be cut to {}", Said::joined(shorter, ", "))
                };
                Err(ApiError::invalid(
                    "dimensions",
                    said!(
                        "`dimensions`: this model's vectors have {} values and {}; {} were asked for",
                        own,
                        way_out,
                        asked
                    ),
                ))
            }
        }
    }

    /// Refuses vectors that the request has no use for.
    fn check(self, model: &Model, range: &Range<usize>, part: &Part) -> Result<(), ApiError> {
        if part.dimensions == 0 {
            return Err(ApiError::broken_answer(
                "the model gave vectors without values; tell its publisher",
            ));
        }
        self.length(Properties::of(model.info()), part.dimensions)?;
        let cut = part.truncated.iter().position(|is_cut| *is_cut);
        match (self.long_texts, cut) {
            (LongTexts::Refuse { way_out }, Some(cut)) => {
                let param = self.place.item(range.start + cut);
                Err(input_checks::longer_than_read(model, param, way_out))
            }
            _ => Ok(()),
        }
    }
}

impl Embeddings {
    pub(crate) fn vectors(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimensions.max(1))
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

    /// Cuts each vector to its first `dimensions` values, and then scales it. Vectors of this length stay as they are.
    fn cut(&mut self, dimensions: usize) {
        if dimensions == self.dimensions {
            return;
        }
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
/// Those of the library; `input.invalid` for a length that the vectors cannot have, and `input.too-large` for a text that
/// is too long. What the model states of itself decides before anything is computed, and the first sandbox that shows a
/// fault ends the others.
pub(crate) async fn texts(
    model: &Model,
    context: &Context,
    texts: &[String],
    demands: Demands<'_>,
) -> Result<Embeddings, ApiError> {
    input_checks::check_texts(Task::TextEmbedding, model, context, texts, demands.place)?;
    demands.check_stated_length(model)?;
    if let LongTexts::Refuse { way_out } = demands.long_texts
        && texts.len() > INPUTS_PER_SANDBOX
        && let Some(cut) = tokenization::first_cut(model, context, texts, demands.place).await?
    {
        let param = demands.place.item(cut);
        return Err(input_checks::longer_than_read(model, param, way_out));
    }
    let ask = |range: Range<usize>| async move {
        let texts = &texts[range];
        let lookup = question::of_texts(context, model, texts).await;
        if let Some(kept) = Part::kept(lookup.as_ref(), context).await {
            return Ok(kept);
        }
        let call = model.embed_text(texts);
        let answer = context.ask(Task::TextEmbedding, model, call).await?;
        Ok(Part {
            dimensions: answer.output.dimensions,
            values: answer.output.values,
            truncated: answer.output.truncated,
            usage: answer.output.usage,
            report: Some(answer.sandbox),
            lookup,
        })
    };
    let lengths = texts.iter().map(String::len);
    let most = batch_size(texts.len(), cores());
    let parts = batches::of_texts(lengths, most, model.limits()).into_iter();
    let parts = parts.map(|range| (ask(range.clone()), range)).collect();
    spread(model, context, texts.len(), demands, parts).await
}

/// Embeds pictures, spread as texts are.
///
/// # Errors
///
/// As those of [`texts`].
pub(crate) async fn images(
    model: &Model,
    context: &Context,
    images: Vec<Image>,
    demands: Demands<'_>,
) -> Result<Embeddings, ApiError> {
    context.check_task(Task::ImageEmbedding, model)?;
    let count = images.len();
    let counted = model.limits().check_image_count(count);
    counted.map_err(|error| demands.place.name(&(0..count), count, error.into()))?;
    for (index, image) in images.iter().enumerate() {
        let checked = model.limits().check_image(image);
        checked.map_err(|error| {
            let range = index..index + 1;
            demands.place.name(&range, count, error.into())
        })?;
    }
    demands.check_stated_length(model)?;
    let ask = |images: Vec<Image>| async move {
        let task = Task::ImageEmbedding;
        let (images, lookup) = question::of_images(context, model, task, 0, images).await;
        if let Some(kept) = Part::kept(lookup.as_ref(), context).await {
            return Ok(kept);
        }
        let call = model.embed_images(images);
        let answer = context.ask(task, model, call).await?;
        Ok(Part {
            dimensions: answer.output.dimensions,
            values: answer.output.values,
            truncated: Vec::new(),
            usage: answer.output.usage,
            report: Some(answer.sandbox),
            lookup,
        })
    };
    // Each picture goes to its sandbox without a copy.
    let mut images = images.into_iter();
    let parts = of_images(count, cores()).into_iter();
    let parts = parts.map(|range| (ask(images.by_ref().take(range.len()).collect()), range));
    let parts = parts.collect();
    let embedded = spread(model, context, count, demands, parts).await;
    // The model's word for too large is one for texts and pictures.
    embedded.map_err(|error| ApiError {
        is_too_long: false,
        ..error
    })
}

/// Vectors from one sandbox, or of a call that was kept.
struct Part {
    dimensions: usize,
    values: Vec<f32>,
    truncated: Vec<bool>,
    usage: Usage,
    /// `None` for vectors that were kept.
    report: Option<SandboxReport>,
    /// Present for vectors that may be kept.
    lookup: Option<Lookup>,
}

impl Part {
    /// Returns the vectors that were kept of this call.
    async fn kept(lookup: Option<&Lookup>, context: &Context) -> Option<Self> {
        let usage_of = |kept: &KeptVectors| kept.usage.into();
        let kept = lookup?.find(context, usage_of).await?;
        Some(Self {
            dimensions: usize::try_from(kept.dimensions).ok()?,
            usage: kept.usage.into(),
            values: kept.values,
            truncated: kept.truncated,
            report: None,
            lookup: None,
        })
    }

    /// Keeps the vectors, if they may be.
    async fn keep(&mut self) {
        if let Some(lookup) = self.lookup.take() {
            let kept = KeptVectors {
                dimensions: self.dimensions as u64,
                values: std::mem::take(&mut self.values),
                truncated: std::mem::take(&mut self.truncated),
                usage: self.usage.into(),
            };
            lookup.keep(&kept).await;
            self.values = kept.values;
            self.truncated = kept.truncated;
        }
    }
}

/// Asks for parts of `count` inputs, as many at a time as there are cores, and joins them in the order of the inputs. A
/// part with a fault ends those that run.
async fn spread<F>(
    model: &Model,
    context: &Context,
    count: usize,
    demands: Demands<'_>,
    parts: Vec<(F, Range<usize>)>,
) -> Result<Embeddings, ApiError>
where
    F: Future<Output = Result<Part, ampoule::Error>>,
{
    let part = |(part, range): (F, Range<usize>)| async move {
        let part = part.await.map_err(ApiError::from);
        let mut part = part.map_err(|error| demands.place.name(&range, count, error))?;
        if let Some(report) = &part.report {
            context.note(report, part.usage);
        }
        demands.check(model, &range, &part)?;
        part.keep().await;
        Ok::<Part, ApiError>(part)
    };
    // Nothing of a part is done before the stream asks for it.
    let parts: Vec<_> = parts.into_iter().map(part).collect();
    let parts: Vec<Part> = stream::iter(parts).buffered(cores()).try_collect().await?;
    let mut all = join(parts)?;
    let length = demands.length(Properties::of(model.info()), all.dimensions)?;
    all.cut(length);
    Ok(all)
}

fn join(parts: Vec<Part>) -> Result<Embeddings, ApiError> {
    let dimensions = parts.first().map_or(0, |part| part.dimensions);
    let mut all = Embeddings {
        dimensions,
        values: Vec::with_capacity(parts.iter().map(|part| part.values.len()).sum()),
        truncated: Vec::with_capacity(parts.iter().map(|part| part.truncated.len()).sum()),
        usage: Usage::default(),
        reports: Vec::with_capacity(parts.len()),
    };
    for part in parts {
        if part.dimensions != dimensions {
            return Err(ApiError::broken_answer(
                "the model gave vectors of different lengths; tell its publisher",
            ));
        }
        all.values.extend(part.values);
        all.truncated.extend(part.truncated);
        let tokens = &mut all.usage.input_tokens;
        *tokens = tokens.saturating_add(part.usage.input_tokens);
        all.reports.extend(part.report);
    }
    Ok(all)
}

/// Returns the most inputs for one sandbox: few inputs are spread over all cores, and many go [`INPUTS_PER_SANDBOX`] at a
/// time.
fn batch_size(count: usize, cores: usize) -> usize {
    count.div_ceil(cores.max(1)).clamp(1, INPUTS_PER_SANDBOX)
}

/// Cuts pictures, of which the host lets a whole request have no more than it lets a sandbox have.
fn of_images(count: usize, cores: usize) -> Vec<Range<usize>> {
    let size = batch_size(count, cores);
    (0..count)
        .step_by(size)
        .map(|start| start..count.min(start + size))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use ampoule::ModelInfo;

    use super::*;

    #[test]
    fn inputs_are_spread_over_all_cores_in_order_and_in_small_batches() {
        assert!(of_images(0, 2).is_empty());
        assert_eq!(of_images(2, 2), [0..1, 1..2]);
        assert_eq!(of_images(3, 2), [0..2, 2..3]);
        for (count, cores) in [(1_000, 2), (17, 1), (64, 8), (5, 64)] {
            let ranges = of_images(count, cores);
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
        let length = |info: &ModelInfo, asked| {
            let demands = Demands {
                dimensions: asked,
                ..Demands::none(Place::one("input"))
            };
            demands.length(Properties::of(info), 3)
        };
        for asked in [0, 1, 4, u64::MAX] {
            let error = length(&info, Some(asked)).unwrap_err();
            let message = error.message;
            assert!(message.contains("can be cut to 2;"), "{message}");
        }
        let error = length(&ModelInfo::default(), Some(2)).unwrap_err();
        assert!(error.message.contains("cannot be cut"), "{}", error.message);
        assert_eq!(length(&info, None), Ok(3));
        assert_eq!(length(&info, Some(3)), Ok(3));
        assert_eq!(length(&info, Some(2)), Ok(2));
        embeddings.cut(3);
        let own = embeddings.values.len();
        assert_eq!(own, 6, "their own length changes nothing");
        embeddings.cut(2);
        assert_eq!(embeddings.dimensions, 2);
        assert_eq!(embeddings.values, [0.6, 0.8, 0.0, 0.0]);
    }
}
