//! Continuations of prompts: `/v1/completions`.
//!
//! A model takes a conversation, so a prompt is put to it as the one message of a user.

use ampoule::{Content, Message};
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::openai::answer::{self, Asked, StreamOptions};
use crate::families::openai::choices::{Answer, Form};
use crate::families::openai::chunks::Chunk;
use crate::families::openai::error::ErrorBody;
use crate::families::openai::sampling;
use crate::families::openai::text_or::TextOr;
use crate::families::openai::unsupported::{self, Neutral};
use crate::http::body::Json;
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
    #[schema(ignore)]
    suffix: Option<Value>,
    #[schema(ignore)]
    echo: Option<Value>,
    #[schema(ignore)]
    logprobs: Option<Value>,
    #[schema(ignore)]
    logit_bias: Option<Value>,
    #[schema(ignore)]
    presence_penalty: Option<Value>,
    #[schema(ignore)]
    frequency_penalty: Option<Value>,
    #[schema(ignore)]
    min_p: Option<Value>,
    #[schema(ignore)]
    repetition_penalty: Option<Value>,
    #[schema(ignore)]
    min_tokens: Option<Value>,
    #[schema(ignore)]
    ignore_eos: Option<Value>,
    #[schema(ignore)]
    guided_json: Option<Value>,
    #[schema(ignore)]
    guided_regex: Option<Value>,
    #[schema(ignore)]
    guided_choice: Option<Value>,
    #[schema(ignore)]
    guided_grammar: Option<Value>,
    #[schema(ignore)]
    structured_outputs: Option<Value>,
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
            (Chunk<Piece> = "text/event-stream"),
        )),
        (status = "default", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    let asked = request.read(service.settings().choices)?;
    answer::answer::<Completion>(&service, context, asked).await
}

impl Request {
    fn read(self, most_choices: usize) -> Result<Asked, ApiError> {
        self.check_unsupported()?;
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
            request.messages.push(Message {
                role: "user".to_owned(),
                content: vec![Content::Text(prompt)],
            });
            request
        });
        Ok(Asked {
            model: self.model,
            prompts: prompts.collect(),
            n,
            is_streamed: self.stream.unwrap_or_default(),
            has_usage: StreamOptions::has_usage(self.stream_options.as_ref()),
        })
    }

    fn check_unsupported(&self) -> Result<(), ApiError> {
        let no_probabilities = "the models here tell no probabilities";
        let no_bias = "the models here choose among tokens by temperature, top_p and top_k alone";
        let no_schema = "the models here write plain text and keep to no schema";
        let no_end =
            "an answer here ends where its model ends it, or at the limit or a stop string";
        unsupported::check(&[
            (
                "suffix",
                &self.suffix,
                Neutral::Empty,
                "the models here write on and do not fill in",
            ),
            (
                "echo",
                &self.echo,
                Neutral::False,
                "an answer here does not repeat its prompt",
            ),
            ("logprobs", &self.logprobs, Neutral::False, no_probabilities),
            ("logit_bias", &self.logit_bias, Neutral::Empty, no_bias),
            (
                "presence_penalty",
                &self.presence_penalty,
                Neutral::Zero,
                no_bias,
            ),
            (
                "frequency_penalty",
                &self.frequency_penalty,
                Neutral::Zero,
                no_bias,
            ),
            ("min_p", &self.min_p, Neutral::Zero, no_bias),
            (
                "repetition_penalty",
                &self.repetition_penalty,
                Neutral::One,
                no_bias,
            ),
            ("min_tokens", &self.min_tokens, Neutral::Zero, no_end),
            ("ignore_eos", &self.ignore_eos, Neutral::False, no_end),
            ("guided_json", &self.guided_json, Neutral::Absent, no_schema),
            (
                "guided_regex",
                &self.guided_regex,
                Neutral::Absent,
                no_schema,
            ),
            (
                "guided_choice",
                &self.guided_choice,
                Neutral::Absent,
                no_schema,
            ),
            (
                "guided_grammar",
                &self.guided_grammar,
                Neutral::Absent,
                no_schema,
            ),
            (
                "structured_outputs",
                &self.structured_outputs,
                Neutral::Absent,
                no_schema,
            ),
        ])
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

/// The form of choices of this route.
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

/// A part of a continuation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiCompletionPiece)]
pub(crate) struct Piece {
    index: usize,
    text: String,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    logprobs: (),
    /// Null before the last part.
    finish_reason: Option<&'static str>,
}

impl Form for Completion {
    const ID: &'static str = "cmpl-";
    const OBJECT: &'static str = "text_completion";
    const CHUNK_OBJECT: &'static str = "text_completion";

    type Choice = Choice;
    type Piece = Piece;

    fn whole(index: usize, text: String, finish_reason: &'static str) -> Choice {
        Choice {
            index,
            text,
            logprobs: (),
            finish_reason,
        }
    }

    fn opening(_: usize) -> Option<Piece> {
        None
    }

    fn text(index: usize, text: String) -> Piece {
        Piece {
            index,
            text,
            logprobs: (),
            finish_reason: None,
        }
    }

    fn end(index: usize, finish_reason: &'static str) -> Piece {
        Piece {
            index,
            text: String::new(),
            logprobs: (),
            finish_reason: Some(finish_reason),
        }
    }
}
