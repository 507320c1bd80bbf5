//! The work of a request: from tensors to a call of the model, and back.

use ampoule::{
    Content, GenerationRequest, Image, InputChecks as _, Limits, Message, Model, SandboxReport,
    Usage,
};

use crate::core::classification;
use crate::core::embedding::{self, Demands, Embeddings};
use crate::core::generation::Events;
use crate::core::place::Place;
use crate::core::sampling::{FieldNames, SamplingFields};
use crate::core::tokenization;
use crate::error::ApiError;
use crate::families::inference::body::Inference;
use crate::families::inference::input::InputTensor;
use crate::families::inference::output::{OutputTensor, Values};
use crate::families::inference::parameters;
use crate::families::inference::tasks::Work;
use crate::request::context::Context;
use crate::said::{Said, said};
use crate::service::Service;

/// Labels of a picture where the request does not say how many.
const DEFAULT_LABELS: u32 = 5;

/// The outputs of a task with what they cost.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outputs: Vec<OutputTensor>,
    /// Texts, pictures or prompts that were answered.
    pub(crate) batch: usize,
    /// Tokens, if the task tells them.
    pub(crate) usage: Option<Usage>,
    pub(crate) reports: Vec<SandboxReport>,
}

/// Inputs of one tensor.
#[derive(Debug)]
pub(crate) struct Given<T> {
    /// The tensor's place in the request, for errors.
    param: Said,
    items: Vec<T>,
}

/// The inputs of a call, in the model's own types.
#[derive(Debug)]
pub(crate) enum Call {
    EmbedTexts(Given<String>),
    EmbedImages(Given<Image>),
    Classify {
        param: Said,
        image: Image,
        labels: u32,
    },
    Tokenize(Given<String>),
    Generate(Vec<GenerationRequest>),
}

/// Makes the call of a request whose names are those of the task. Texts and pictures are the largest parts of a request,
/// so they are moved and not copied where their form allows.
pub(crate) fn call(
    work: Work,
    mut request: Inference,
    service: &Service,
) -> Result<Call, ApiError> {
    let limits = service.host().limits();
    match work {
        Work::EmbedTexts => Ok(Call::EmbedTexts(texts(&mut request, service)?)),
        Work::Tokenize => Ok(Call::Tokenize(texts(&mut request, service)?)),
        Work::EmbedImages => match images(&mut request, limits)? {
            Some(given) => Ok(Call::EmbedImages(given)),
            None => Err(missing("images")),
        },
        Work::Classify => {
            let labels = parameters::unsigned(&request.parameters, "top_k")?;
            let Some(Given { param, items }) = images(&mut request, limits)? else {
                return Err(missing("image"));
            };
            let found = items.len();
            let [image] = <[Image; 1]>::try_from(items).map_err(|_| {
                let message = said!(
                    "`{}`: one picture is classified at a time, and {} were found",
                    param,
                    found
                );
                ApiError::invalid(param.clone(), message)
            })?;
            Ok(Call::Classify {
                param,
                image,
                labels: labels.unwrap_or(DEFAULT_LABELS),
            })
        }
        Work::Generate => Ok(Call::Generate(generations(request, service)?)),
    }
}

impl Call {
    /// Returns the texts, pictures or prompts of the call.
    fn batch(&self) -> usize {
        match self {
            Self::EmbedTexts(given) | Self::Tokenize(given) => given.items.len(),
            Self::EmbedImages(given) => given.items.len(),
            Self::Classify { .. } => 1,
            Self::Generate(requests) => requests.len(),
        }
    }

    /// Asks the model.
    pub(crate) async fn run(self, model: &Model, context: &Context) -> Result<Answer, ApiError> {
        let batch = self.batch();
        match self {
            Self::EmbedTexts(Given { param, items }) => {
                let demands = Demands::none(Place::list(&param));
                let mut all = embedding::texts(model, context, &items, demands).await?;
                let truncated = std::mem::take(&mut all.truncated);
                let mut answer = vectors(all, batch);
                let truncated = OutputTensor::list("truncated", Values::Bool(truncated));
                answer.outputs.push(truncated);
                Ok(answer)
            }
            Self::EmbedImages(Given { param, items }) => {
                let demands = Demands::none(Place::list(&param));
                let all = embedding::images(model, context, items, demands).await?;
                Ok(vectors(all, batch))
            }
            Self::Classify {
                param,
                image,
                labels,
            } => {
                let call = classification::classify(model, context, image, labels);
                let answer = call.await.map_err(|error| {
                    let place = Place::list(&param);
                    place.name(&(0..1), 1, error.into())
                })?;
                let (names, scores) = answer.labels.into_iter().unzip();
                Ok(Answer {
                    outputs: vec![
                        OutputTensor::list("labels", Values::Bytes(names)),
                        OutputTensor::list("scores", Values::Fp32(scores)),
                    ],
                    batch,
                    usage: None,
                    reports: answer.report.into_iter().collect(),
                })
            }
            Self::Tokenize(Given { param, items }) => {
                let place = Place::list(&param);
                let all = tokenization::texts(model, context, &items, place).await?;
                let lengths = all.tokens.iter().map(|tokens| tokens.ids.len());
                let lengths = lengths.map(|length| u32::try_from(length).unwrap_or(u32::MAX));
                let lengths = Values::Uint32(lengths.collect());
                let truncated = all
                    .tokens
                    .iter()
                    .map(|tokens| tokens.is_truncated)
                    .collect();
                let ids = all
                    .tokens
                    .into_iter()
                    .flat_map(|tokens| tokens.ids)
                    .collect();
                Ok(Answer {
                    outputs: vec![
                        OutputTensor::list("ids", Values::Uint32(ids)),
                        OutputTensor::list("lengths", lengths),
                        OutputTensor::list("truncated", Values::Bool(truncated)),
                    ],
                    batch,
                    usage: None,
                    reports: all.reports,
                })
            }
            Self::Generate(requests) => generated(model, context, requests).await,
        }
    }
}

fn vectors(all: Embeddings, batch: usize) -> Answer {
    Answer {
        outputs: vec![OutputTensor {
            name: "embeddings",
            shape: vec![batch, all.dimensions],
            values: Values::Fp32(all.values),
        }],
        batch,
        usage: Some(all.usage),
        reports: all.reports,
    }
}

async fn generated(
    model: &Model,
    context: &Context,
    requests: Vec<GenerationRequest>,
) -> Result<Answer, ApiError> {
    let batch = requests.len();
    let events = Events::start(model, context, requests, None).await?;
    let (mut texts, mut reasons, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    let (mut read, mut written) = (Vec::new(), Vec::new());
    let mut usage = Usage::default();
    for whole in events.collect().await? {
        texts.push(whole.text);
        reasons.push(whole.end.reason);
        read.push(whole.end.usage.input_tokens);
        written.push(whole.end.usage.output_tokens);
        usage.input_tokens = usage
            .input_tokens
            .saturating_add(whole.end.usage.input_tokens);
        usage.output_tokens = usage
            .output_tokens
            .saturating_add(whole.end.usage.output_tokens);
        reports.extend(whole.end.report);
    }
    Ok(Answer {
        outputs: vec![
            OutputTensor::list("text", Values::Bytes(texts)),
            OutputTensor::list("finish_reason", Values::Bytes(reasons)),
            OutputTensor::list("input_tokens", Values::Uint32(read)),
            OutputTensor::list("output_tokens", Values::Uint32(written)),
        ],
        batch,
        usage: Some(usage),
        reports,
    })
}

/// Takes an input out of a request.
fn take(request: &mut Inference, name: &str) -> Option<InputTensor> {
    let at = request.inputs.iter().position(|input| input.name == name)?;
    Some(request.inputs.swap_remove(at))
}

fn missing(name: &'static str) -> ApiError {
    ApiError::invalid("inputs", said!("`inputs`: `{}` is expected", name))
}

fn texts(request: &mut Inference, service: &Service) -> Result<Given<String>, ApiError> {
    let input = take(request, "texts").ok_or_else(|| missing("texts"))?;
    Ok(Given {
        param: input.param.clone(),
        items: input.texts(service.settings().texts)?,
    })
}

/// Returns the pictures of `images`, `image` or `pixels`, if the request has one of them.
fn images(request: &mut Inference, limits: &Limits) -> Result<Option<Given<Image>>, ApiError> {
    let files = take(request, "images").or_else(|| take(request, "image"));
    let given = match (files, take(request, "pixels")) {
        (Some(_), Some(pixels)) => {
            return Err(
                pixels.invalid("either picture files or pixels are expected, and both were found")
            );
        }
        (Some(files), None) => Given {
            param: files.param.clone(),
            items: files.picture_files(limits)?,
        },
        (None, Some(pixels)) => Given {
            param: pixels.param.clone(),
            items: pixels.pixels(limits)?,
        },
        (None, None) => return Ok(None),
    };
    Ok(Some(given))
}

/// Makes a generation of each prompt. Pictures belong to the one prompt that they come with.
fn generations(
    mut request: Inference,
    service: &Service,
) -> Result<Vec<GenerationRequest>, ApiError> {
    let prompt = take(&mut request, "prompt").ok_or_else(|| missing("prompt"))?;
    let param = prompt.param.clone();
    let prompts = prompt.texts(service.settings().choices)?;
    let limits = service.host().limits();
    let images = images(&mut request, limits)?.map_or_else(Vec::new, |given| given.items);
    if !images.is_empty() && prompts.len() > 1 {
        let message = said!(
            "`{}`: one prompt is expected beside pictures, and {} were found; send each in a request of its own",
            param,
            prompts.len()
        );
        return Err(ApiError::invalid(param, message));
    }
    let system = take(&mut request, "system").map(|system| system.texts(1));
    let system = system.transpose()?.and_then(|mut texts| texts.pop());
    let stop = parameters::texts(&mut request.parameters, "stop")?;
    let given = &request.parameters;
    let fields = SamplingFields {
        temperature: parameters::float(given, "temperature")?,
        top_p: parameters::float(given, "top_p")?,
        top_k: parameters::unsigned(given, "top_k")?,
        seed: parameters::seed(given)?,
        stop,
        max_output_tokens: parameters::unsigned(given, "max_tokens")?,
    };
    let common = fields.request(FieldNames::PLAIN, Vec::new())?;
    // Each prompt but the last gets a copy of the system's text, so it is checked before.
    limits.check_text(system.as_deref().unwrap_or_default())?;
    let pictures: Vec<Content> = images.into_iter().map(Content::Image).collect();
    let turn = |role: &str, content| Message {
        role: role.to_owned(),
        content,
    };
    let beginnings = std::iter::repeat_n((system, pictures), prompts.len());
    let generation = |(prompt, (system, mut content)): (String, (Option<String>, Vec<Content>))| {
        let mut messages = Vec::new();
        if let Some(system) = system {
            messages.push(turn("system", vec![Content::Text(system)]));
        }
        content.push(Content::Text(prompt));
        messages.push(turn("user", content));
        GenerationRequest {
            messages,
            ..common.clone()
        }
    };
    Ok(prompts
        .into_iter()
        .zip(beginnings)
        .map(generation)
        .collect())
}
