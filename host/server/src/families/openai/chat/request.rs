//! A request for the continuation of a conversation.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::openai::answer::{Asked, StreamOptions};
use crate::families::openai::chat::message::{self, Message};
use crate::families::openai::sampling;
use crate::families::openai::text_or::TextOr;
use crate::families::openai::unsupported::{self, Neutral};
use crate::service::Service;

/// A conversation to continue. Fields that are not named here are ignored, or refused where the answer would be another
/// than was asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiChatRequest)]
pub(crate) struct Request {
    model: String,
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

    #[schema(ignore)]
    tools: Option<Value>,
    #[schema(ignore)]
    tool_choice: Option<Value>,
    #[schema(ignore)]
    functions: Option<Value>,
    #[schema(ignore)]
    function_call: Option<Value>,
    #[schema(ignore)]
    response_format: Option<Value>,
    #[schema(ignore)]
    logprobs: Option<Value>,
    #[schema(ignore)]
    top_logprobs: Option<Value>,
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
    #[schema(ignore)]
    modalities: Option<Value>,
    #[schema(ignore)]
    audio: Option<Value>,
    #[schema(ignore)]
    web_search_options: Option<Value>,
}

impl Request {
    /// Reads the request, within the limits of the service.
    pub(crate) fn read(self, service: &Service) -> Result<Asked, ApiError> {
        self.check_unsupported()?;
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
        Ok(Asked {
            model: self.model,
            prompts: vec![prompt],
            n,
            is_streamed: self.stream.unwrap_or_default(),
            has_usage: StreamOptions::has_usage(self.stream_options.as_ref()),
        })
    }

    fn check_unsupported(&self) -> Result<(), ApiError> {
        let no_tools = "the models here call no tools";
        let no_probabilities = "the models here tell no probabilities";
        let no_bias = "the models here choose among tokens by temperature, top_p and top_k alone";
        let no_schema = "the models here write plain text and keep to no schema";
        let no_end =
            "an answer here ends where its model ends it, or at the limit or a stop string";
        unsupported::check(&[
            ("tools", &self.tools, Neutral::Empty, no_tools),
            (
                "tool_choice",
                &self.tool_choice,
                Neutral::NoneOrAuto,
                no_tools,
            ),
            ("functions", &self.functions, Neutral::Empty, no_tools),
            (
                "function_call",
                &self.function_call,
                Neutral::NoneOrAuto,
                no_tools,
            ),
            (
                "response_format",
                &self.response_format,
                Neutral::TypeText,
                no_schema,
            ),
            ("logprobs", &self.logprobs, Neutral::False, no_probabilities),
            (
                "top_logprobs",
                &self.top_logprobs,
                Neutral::Absent,
                no_probabilities,
            ),
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
            (
                "modalities",
                &self.modalities,
                Neutral::ListOfText,
                "the models here answer in text",
            ),
            (
                "audio",
                &self.audio,
                Neutral::Absent,
                "the models here answer in text",
            ),
            (
                "web_search_options",
                &self.web_search_options,
                Neutral::Absent,
                "the models here reach no network",
            ),
        ])
    }
}
