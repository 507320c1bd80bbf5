//! The work of a request: from tensors to a call of the model, and back.

use ampoule::{
    Content, GenerationRequest, Image, InputChecks as _, Message, Model, Sampling, SandboxReport,
    Usage,
};

use crate::core::embedding::{self, Embeddings};
use crate::core::generation::Events;
use crate::core::tokenization;
use crate::error::ApiError;
use crate::families::inference::body::Inference;
use crate::families::inference::parameters;
use crate::families::inference::tasks::Work;
use crate::families::inference::tensor::{InputTensor, OutputTensor, Values};
use crate::request::context::Context;
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

/// The inputs of a call, in the model's own types.
#[derive(Debug)]
pub(crate) enum Call {
    EmbedTexts(Vec<String>),
    EmbedImages(Vec<Image>),
    Classify { image: Image, labels: u32 },
    Tokenize(Vec<String>),
    Generate(Vec<GenerationRequest>),
}

/// Makes the call of a request whose names are those of the task.
pub(crate) fn call(work: Work, request: &Inference, service: &Service) -> Result<Call, ApiError> {
    match work {
        Work::EmbedTexts => Ok(Call::EmbedTexts(texts(request, service)?)),
        Work::Tokenize => Ok(Call::Tokenize(texts(request, service)?)),
        Work::EmbedImages => Ok(Call::EmbedImages(images(request, service)?)),
        Work::Classify => Ok(Call::Classify {
            image: one_image(request, service)?,
            labels: parameters::unsigned(&request.parameters, "top_k")?.unwrap_or(DEFAULT_LABELS),
        }),
        Work::Generate => Ok(Call::Generate(generations(request, service)?)),
    }
}

impl Call {
    /// Returns the texts, pictures or prompts of the call.
    fn batch(&self) -> usize {
        match self {
            Self::EmbedTexts(texts) | Self::Tokenize(texts) => texts.len(),
            Self::EmbedImages(images) => images.len(),
            Self::Classify { .. } => 1,
            Self::Generate(requests) => requests.len(),
        }
    }

    /// Asks the model.
    pub(crate) async fn run(self, model: &Model, context: &Context) -> Result<Answer, ApiError> {
        let batch = self.batch();
        match self {
            Self::EmbedTexts(texts) => {
                let mut all = embedding::texts(model, context, &texts).await?;
                let truncated = std::mem::take(&mut all.truncated);
                let mut answer = vectors(all, batch);
                let truncated = OutputTensor::list("truncated", Values::Bool(truncated));
                answer.outputs.push(truncated);
                Ok(answer)
            }
            Self::EmbedImages(images) => Ok(vectors(
                embedding::images(model, context, images).await?,
                batch,
            )),
            Self::Classify { image, labels } => {
                let answer = model.classify_image(image, labels).await?;
                context.note(&answer.sandbox, Usage::default());
                let (names, scores) = answer.output.into_iter().map(|l| (l.name, l.score)).unzip();
                Ok(Answer {
                    outputs: vec![
                        OutputTensor::list("labels", Values::Bytes(names)),
                        OutputTensor::list("scores", Values::Fp32(scores)),
                    ],
                    batch,
                    usage: None,
                    reports: vec![answer.sandbox],
                })
            }
            Self::Tokenize(texts) => {
                let all = tokenization::texts(model, context, &texts).await?;
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
        reports.push(whole.end.report);
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

fn input<'r>(request: &'r Inference, name: &str) -> Option<&'r InputTensor> {
    request.inputs.iter().find(|input| input.name == name)
}

fn texts(request: &Inference, service: &Service) -> Result<Vec<String>, ApiError> {
    input(request, "texts").map_or_else(
        || Ok(Vec::new()),
        |input| input.texts(service.settings().texts),
    )
}

/// Returns the pictures of `images`, `image` or `pixels`; none where the request has none of them.
fn images(request: &Inference, service: &Service) -> Result<Vec<Image>, ApiError> {
    let files = input(request, "images").or_else(|| input(request, "image"));
    match (files, input(request, "pixels")) {
        (Some(_), Some(pixels)) => {
            Err(pixels.invalid("either picture files or pixels are expected, and both were found"))
        }
        (Some(files), None) => files.picture_files(service.host().limits()),
        (None, Some(pixels)) => pixels.pixels(service.host().limits()),
        (None, None) => Ok(Vec::new()),
    }
}

fn one_image(request: &Inference, service: &Service) -> Result<Image, ApiError> {
    let images = images(request, service)?;
    let found = images.len();
    match <[Image; 1]>::try_from(images) {
        Ok([image]) => Ok(image),
        Err(_) => Err(ApiError::invalid(
            "inputs",
            format!("`inputs`: one picture is classified at a time, and {found} were found"),
        )),
    }
}

/// Makes a generation of each prompt. Pictures belong to the one prompt that they come with.
fn generations(request: &Inference, service: &Service) -> Result<Vec<GenerationRequest>, ApiError> {
    let Some(prompt) = input(request, "prompt") else {
        return Err(ApiError::invalid(
            "inputs",
            "`inputs`: `prompt` is expected",
        ));
    };
    let prompts = prompt.texts(service.settings().choices)?;
    let images = images(request, service)?;
    if !images.is_empty() && prompts.len() > 1 {
        return Err(prompt.invalid(&format!(
            "one prompt is expected beside pictures, and {} were found; send each in a request of its own",
            prompts.len()
        )));
    }
    let system = input(request, "system").map(|system| system.texts(1));
    let system = system.transpose()?.and_then(|mut texts| texts.pop());
    let given = &request.parameters;
    let defaults = Sampling::default();
    let sampling = Sampling {
        temperature: parameters::float(given, "temperature")?.unwrap_or(defaults.temperature),
        top_p: parameters::float(given, "top_p")?.unwrap_or(defaults.top_p),
        top_k: parameters::unsigned(given, "top_k")?.unwrap_or(defaults.top_k),
        seed: parameters::seed(given)?,
    };
    let max_output_tokens = parameters::unsigned(given, "max_tokens")?
        .unwrap_or(GenerationRequest::DEFAULT_OUTPUT_TOKENS);
    let stop = parameters::texts(given, "stop")?;
    // Each prompt gets a copy of these, so they are checked before.
    let limits = service.host().limits();
    limits.check_text(system.as_deref().unwrap_or_default())?;
    let pictures: Vec<Content> = images.into_iter().map(Content::Image).collect();
    let turn = |role: &str, content| Message {
        role: role.to_owned(),
        content,
    };
    let generation = |prompt: String| {
        let mut messages = Vec::new();
        if let Some(system) = &system {
            messages.push(turn("system", vec![Content::Text(system.clone())]));
        }
        let mut content = pictures.clone();
        content.push(Content::Text(prompt));
        messages.push(turn("user", content));
        GenerationRequest {
            messages,
            sampling,
            max_output_tokens,
            stop: stop.clone(),
            ..GenerationRequest::default()
        }
    };
    Ok(prompts.into_iter().map(generation).collect())
}
