//! Continuations of prompts: `/v1/completions`.
//!
//! A model takes a conversation, so a prompt is put to it as the one message of a user.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::openai::answer::{self, ParsedRequest, StreamOptions};
use crate::families::openai::choices::{Answer, ChoiceTypes};
use crate::families::openai::chunks::Chunk;
use crate::families::openai::error::ErrorBody;
use crate::families::openai::parts::text_message;
use crate::families::openai::sampling;
use crate::families::openai::unsupported::TEXT;
use crate::families::unsupported::Rest;
use crate::http::body::Json;
use crate::http::text_or::TextOr;
use crate::request::context::Context;
use crate::service::Service;

/// Prompts to continue. Fields that are not named here are ignored, or refused where the answer would be another than was
/// asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiCompletionRequest)]
pub(crate) struct Request {
    model: String,
    /// A text or several. Token ids are refused: they would be those of another model's tokenizer.
    #[schema(value_type = TextOr<Vec<String>>)]
    prompt: TextOr<Vec<Value>>,
    /// Sends the answer while it is made, as server-sent events.
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// The most tokens of an answer; 256 by default.
    max_tokens: Option<u32>,
    /// The name of `max_tokens` in conversations, which goes before it.
    max_completion_tokens: Option<u32>,
    /// 0 by default: always the likeliest token.
    #[schema(minimum = 0)]
    temperature: Option<f32>,
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f32>,
    /// Keeps this many of the likeliest tokens.
    #[schema(minimum = -1)]
    top_k: Option<i64>,
    seed: Option<i64>,
    /// The answer ends before the first of these.
    stop: Option<TextOr<Vec<String>>>,
    /// Answers to make to each prompt.
    #[schema(minimum = 1)]
    n: Option<u32>,

    #[schema(ignore)]
    best_of: Option<u32>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Rest,
}

/// Continues prompts.
#[utoipa::path(
    post,
    path = "/v1/completions",
    tag = "OpenAI",
    request_body = Request,
    responses(
        (status = 200, content(
            (Answer<Choice> = "application/json"),
            (Chunk<ChunkChoice> = "text/event-stream"),
        )),
        (status = "default", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    // The model first: a request for one that is not there costs no more than its reading.
    let model = service.call(&request.model, &context)?;
    let request = request.read(service.settings().choices)?;
    answer::answer::<Completion>(&service, context, model, request).await
}

impl Request {
    fn read(self, most_choices: usize) -> Result<ParsedRequest, ApiError> {
        self.rest.check("", &TEXT)?;
        let prompts = texts_of(self.prompt)?;
        let n = sampling::choices(self.n, prompts.len(), most_choices)?;
        check_best_of(self.best_of, n)?;
        let fields = sampling::Fields {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            seed: self.seed,
            stop: self.stop,
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
        };
        let common = fields.request(Vec::new())?;
        let prompts = prompts.into_iter().map(|prompt| {
            let mut request = common.clone();
            request.messages.push(text_message("user", prompt));
            request
        });
        Ok(ParsedRequest {
            model: self.model,
            prompts: prompts.collect(),
            n,
            is_streamed: self.stream.unwrap_or_default(),
            has_usage: StreamOptions::has_usage(self.stream_options.as_ref()),
        })
    }
}

fn texts_of(prompt: TextOr<Vec<Value>>) -> Result<Vec<String>, ApiError> {
    let items = match prompt {
        TextOr::Text(text) => return Ok(vec![text]),
        TextOr::Other(items) => items,
    };
    if items.is_empty() {
        return Err(ApiError::invalid(
            "prompt",
            "`prompt`: at least one text is expected, and the list is empty",
        ));
    }
    let text = |item| match item {
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Array(_) => Err(ApiError::unsupported(
            "prompt",
            "`prompt`: texts are expected, and token ids were found, which are those of another model's tokenizer; send \
             the text itself",
        )),
        _ => Err(ApiError::invalid(
            "prompt",
            "`prompt`: a text or a list of texts is expected",
        )),
    };
    items.into_iter().map(text).collect()
}

/// Refuses to choose the best of more answers than are given back: nothing here tells which is best.
fn check_best_of(best_of: Option<u32>, n: usize) -> Result<(), ApiError> {
    match best_of {
        Some(best_of) if best_of as usize > n => Err(ApiError::unsupported(
            "best_of",
            "`best_of`: the models here tell no probabilities, so no answer is known to be better than another; leave it \
             out",
        )),
        Some(best_of) if (best_of as usize) < n => Err(ApiError::invalid(
            "best_of",
            "`best_of`: at least as many as `n` are expected",
        )),
        _ => Ok(()),
    }
}

/// The types of choices of this route.
#[derive(Debug)]
pub(crate) struct Completion;

/// A whole continuation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiCompletionChoice)]
pub(crate) struct Choice {
    /// Of the prompt's place, times `n`, and the answer's place among those to it.
    index: usize,
    text: String,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    logprobs: (),
    /// `stop`, `length` or `content_filter`.
    finish_reason: &'static str,
}

/// A continuation in a chunk of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiCompletionChunkChoice)]
pub(crate) struct ChunkChoice {
    index: usize,
    text: String,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    logprobs: (),
    /// Null before the last chunk.
    finish_reason: Option<&'static str>,
}

impl ChoiceTypes for Completion {
    const ID: &'static str = "cmpl-";
    const OBJECT: &'static str = "text_completion";
    const CHUNK_OBJECT: &'static str = "text_completion";

    type Choice = Choice;
    type ChunkChoice = ChunkChoice;

    fn whole(index: usize, text: String, finish_reason: &'static str) -> Choice {
        Choice {
            index,
            text,
            logprobs: (),
            finish_reason,
        }
    }

    fn opening(_: usize) -> Option<ChunkChoice> {
        None
    }

    fn text(index: usize, text: String) -> ChunkChoice {
        ChunkChoice {
            index,
            text,
            logprobs: (),
            finish_reason: None,
        }
    }

    fn end(index: usize, finish_reason: &'static str) -> ChunkChoice {
        ChunkChoice {
            index,
            text: String::new(),
            logprobs: (),
            finish_reason: Some(finish_reason),
        }
    }
}
