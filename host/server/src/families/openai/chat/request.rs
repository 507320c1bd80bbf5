//! A request for the continuation of a conversation.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::openai::answer::{ParsedRequest, StreamOptions};
use crate::families::openai::chat::message::{self, Message};
use crate::families::openai::sampling;
use crate::families::openai::unsupported::TEXT;
use crate::families::unsupported::Rest;
use crate::http::text_or::TextOr;
use crate::service::Service;

/// A conversation to continue. Fields that are not named here are ignored, or refused where the answer would be another
/// than was asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiChatRequest)]
pub(crate) struct Request {
    pub(crate) model: String,
    messages: Vec<Message>,
    /// Sends the answer while it is made, as server-sent events.
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// The most tokens of an answer; 256 by default.
    max_completion_tokens: Option<u32>,
    /// The older name of `max_completion_tokens`, which goes before it.
    max_tokens: Option<u32>,
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
    /// Answers to make.
    #[schema(minimum = 1)]
    n: Option<u32>,

    #[serde(flatten)]
    #[schema(ignore)]
    rest: Rest,
}

impl Request {
    /// Reads the request, within the limits of the service.
    pub(crate) fn read(self, service: &Service) -> Result<ParsedRequest, ApiError> {
        self.rest.check("", &TEXT)?;
        let n = sampling::choices(self.n, 1, service.settings().choices)?;
        let fields = sampling::Fields {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            seed: self.seed,
            stop: self.stop,
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
        };
        let prompt = fields.request(message::read_all(self.messages, service.host().limits())?)?;
        Ok(ParsedRequest {
            model: self.model,
            prompts: vec![prompt],
            n,
            is_streamed: self.stream.unwrap_or_default(),
            has_usage: StreamOptions::has_usage(self.stream_options.as_ref()),
        })
    }
}
