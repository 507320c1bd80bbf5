//! Conversations in, text out, as a whole or as server-sent events.

use std::collections::BTreeMap;

use ampoule::{Content, GenerationRequest, Image, Message, Model};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::generation::{End, Events};
use crate::core::sampling::{FieldNames, SamplingFields};
use crate::error::ApiError;
use crate::families::native::call::{self, CallLimits, CallReport};
use crate::families::native::error::{self, ErrorBody};
use crate::families::native::form::{Form, FormSchema, Pixels, read_picture};
use crate::http::json::json_response;
use crate::http::name::Name;
use crate::http::sse;
use crate::http::stream::{self, Dialect};
use crate::http::text_or::TextOr;
use crate::request::context::Context;
use crate::said::said;
use crate::service::Service;

/// Names of the sampling fields in errors.
const NAMES: FieldNames = FieldNames {
    temperature: "sampling.temperature",
    top_p: "sampling.top_p",
    stop: "stop",
};

/// A conversation to continue. Fields that are not named here are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativeGenerationRequest)]
pub(crate) struct Request {
    /// The turns so far, the oldest first.
    messages: Option<Vec<Turn>>,
    /// A last turn of the user's.
    prompt: Option<String>,
    /// The most tokens to write.
    max_output_tokens: Option<u32>,
    sampling: Option<SamplingRules>,
    /// The answer ends before the first of these.
    stop: Option<Vec<String>>,
    /// Settings that only some models know, by name.
    options: Option<BTreeMap<String, String>>,
    /// True for server-sent events: each with a `text`, and a last one with the rest of the answer.
    stream: Option<bool>,
    limits: Option<CallLimits>,
    /// True refuses the request on a host that does not give the same bits on every machine.
    deterministic: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativeTurn)]
struct Turn {
    /// `system`, `user` or `assistant`.
    role: String,
    /// A text, or parts of text and pictures.
    content: TextOr<Vec<Part>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = NativePart)]
enum Part {
    Text(String),
    Image(TextOr<Pixels>),
}

/// Rules for the choice of the next token.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativeSampling)]
struct SamplingRules {
    /// Divides the logits; 0, the default, takes the likeliest token each time.
    #[schema(minimum = 0)]
    temperature: Option<f32>,
    /// Keeps the likeliest tokens whose probabilities add up to this.
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f32>,
    /// Keeps this many of the likeliest tokens; 0 keeps all.
    top_k: Option<u32>,
    /// Makes the answer repeatable.
    seed: Option<u64>,
}

/// A whole answer, and the last event of one that is streamed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeGeneration)]
pub(crate) struct Answer {
    /// Empty in the last event of a stream.
    text: String,
    /// `stop`, `stop-string`, `length`, or another word of the model's.
    finish_reason: String,
    #[serde(flatten)]
    call: CallReport,
}

/// An event of a stream before the last one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeTextEvent)]
struct TextEvent {
    text: String,
}

/// Continues a conversation.
#[utoipa::path(
    post,
    path = "/ampoule/v1/models/{name}/text-generation",
    tag = "Ampoule",
    operation_id = "native_text_generation",
    params(("name" = String, Path, description = "A model's name or alias; a slash in it is written %2F")),
    request_body(content((Request = "application/json"), (FormSchema = "multipart/form-data"))),
    responses(
        (
            status = 200,
            description = "The answer, or events of `NativeTextEvent` with a last one of `NativeGeneration`",
            content((Answer = "application/json"), (TextEvent = "text/event-stream")),
        ),
        (status = "default", body = ErrorBody),
    ),
)]
pub(crate) async fn generate(
    State(service): State<Service>,
    Name(name): Name,
    context: Context,
    form: Form<Request>,
) -> Result<Response, ApiError> {
    let request = form.request;
    let (limits, deterministic) = (request.limits, request.deterministic);
    let is_streamed = request.stream.unwrap_or(false);
    // The model first: no picture is decoded for one that is not there.
    let model = call::model(&service, &context, &name, limits, deterministic)?;
    let files = form.images;
    let read = service.work_on_body(&context, |service| request.read(files, service));
    let generation = read.await?;
    let patience = is_streamed.then_some(service.settings().silence);
    let events = Events::start(&model, &context, vec![generation], patience).await?;
    if is_streamed {
        let dialect = AnswerEvents { model };
        let response = stream::response(sse::MEDIA_TYPE, &service, context, events, dialect);
        return Ok(response);
    }
    let mut wholes = events.collect().await?;
    let whole = wholes
        .pop()
        .ok_or_else(|| ApiError::internal("a generation had no answer"))?;
    let answer = Answer::new(&model, whole.text, whole.end);
    Ok(json_response(StatusCode::OK, &answer))
}

impl Request {
    /// Reads the conversation. Files of a form come before the text of its last turn.
    fn read(self, files: Vec<Image>, service: &Service) -> Result<GenerationRequest, ApiError> {
        let turns = self.messages.unwrap_or_default().into_iter().enumerate();
        let messages = turns.map(|(index, turn)| turn.read(index, service));
        let mut messages = messages.collect::<Result<Vec<_>, _>>()?;
        if let Some(prompt) = self.prompt {
            messages.push(Message {
                role: "user".to_owned(),
                content: vec![Content::Text(prompt)],
            });
        }
        let Some(last) = messages.last_mut() else {
            let message = "`messages`: at least one turn is expected, or a `prompt`";
            return Err(ApiError::invalid("messages", message));
        };
        last.content
            .splice(..0, files.into_iter().map(Content::Image));
        let sampling = self.sampling.unwrap_or_default();
        let fields = SamplingFields {
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k,
            seed: sampling.seed,
            stop: self.stop.unwrap_or_default(),
            max_output_tokens: self.max_output_tokens,
        };
        Ok(GenerationRequest {
            options: self.options.unwrap_or_default().into_iter().collect(),
            ..fields.request(NAMES, messages)?
        })
    }
}

impl Turn {
    fn read(self, index: usize, service: &Service) -> Result<Message, ApiError> {
        let parts = match self.content {
            TextOr::Text(text) => vec![Part::Text(text)],
            TextOr::Other(parts) => parts,
        };
        let parts = parts
            .into_iter()
            .enumerate()
            .map(|(place, part)| match part {
                Part::Text(text) => Ok(Content::Text(text)),
                Part::Image(picture) => {
                    let param = said!("messages[{}].content[{}].image", index, place);
                    read_picture(picture, &param, service).map(Content::Image)
                }
            });
        Ok(Message {
            role: self.role,
            content: parts.collect::<Result<_, _>>()?,
        })
    }
}

impl Answer {
    fn new(model: &Model, text: String, end: End) -> Self {
        Self {
            text,
            call: CallReport::new(model, Some(end.usage), end.report.as_slice()),
            finish_reason: end.reason,
        }
    }
}

/// An answer as events.
struct AnswerEvents {
    model: Model,
}

impl Dialect for AnswerEvents {
    fn begin(&mut self, _: &mut Vec<u8>) {}

    fn text(&mut self, _: usize, text: String, out: &mut Vec<u8>) {
        sse::data(out, &TextEvent { text });
    }

    fn end(&mut self, end: End, out: &mut Vec<u8>) {
        sse::data(out, &Answer::new(&self.model, String::new(), end));
    }

    fn close(&mut self, _: &mut Vec<u8>) {}

    fn silence(&mut self, out: &mut Vec<u8>) {
        let text = String::new();
        sse::data(out, &TextEvent { text });
    }

    fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        sse::event(out, "error", &error::body(error));
    }
}
