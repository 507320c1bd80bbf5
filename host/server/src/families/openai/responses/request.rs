//! A request for a response.

use std::collections::BTreeMap;

use ampoule::GenerationRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::openai::responses::input::{self, Item};
use crate::families::openai::responses::response::{Echo, ResponseObject};
use crate::families::openai::sampling;
use crate::families::openai::unsupported::{RESPONSE, RESPONSE_TEXT, TEXT};
use crate::families::unsupported::Rest;
use crate::http::text_or::TextOr;
use crate::said::said;
use crate::service::Service;

/// Entries of a request's metadata, which each event of a stream may repeat; as many as OpenAI takes.
const MAX_METADATA: usize = 16;

/// Bytes of one entry's key and value; somewhat more than OpenAI's 64 and 512 characters of ASCII.
const MAX_METADATA_BYTES: usize = 2_400;

/// A request for a response. Fields that are not named here are ignored, or refused where the answer would be another
/// than was asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiResponseRequest)]
pub(crate) struct Request {
    /// Name or alias of a model that writes text.
    pub(crate) model: String,
    /// A text of the user, or the conversation so far.
    input: Option<TextOr<Vec<Item>>>,
    /// A text of the system, before the conversation.
    instructions: Option<String>,
    /// Asks for the response while it is made, as server-sent events.
    stream: Option<bool>,
    /// The most tokens of the response; 256 by default.
    max_output_tokens: Option<u32>,
    /// 0 by default: always the likeliest token.
    #[schema(minimum = 0)]
    temperature: Option<f32>,
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f32>,
    /// Keeps this many of the likeliest tokens.
    #[schema(minimum = -1)]
    top_k: Option<i64>,
    seed: Option<i64>,
    /// The response ends before the first of these.
    stop: Option<TextOr<Vec<String>>>,
    /// Up to sixteen texts, which the response repeats.
    metadata: Option<BTreeMap<String, String>>,
    text: Option<TextOptions>,

    #[serde(flatten)]
    #[schema(ignore)]
    rest: Rest,
}

/// The form of the text, which is always plain.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiResponseTextOptions)]
pub(crate) struct TextOptions {
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Rest,
}

/// A request that has been read.
#[derive(Debug)]
pub(crate) struct ParsedRequest {
    pub(crate) generation: GenerationRequest,
    /// The response before its first text.
    pub(crate) response: ResponseObject,
    pub(crate) is_streamed: bool,
}

impl Request {
    /// Reads the request, within the limits of the service.
    pub(crate) fn read(self, service: &Service) -> Result<ParsedRequest, ApiError> {
        self.rest.check("", RESPONSE.iter().chain(&TEXT))?;
        if let Some(text) = &self.text {
            text.rest.check("text.", &RESPONSE_TEXT)?;
        }
        let metadata = self.metadata.unwrap_or_default();
        check_metadata(&metadata)?;
        let instructions = self.instructions.as_deref();
        let messages = input::read(instructions, self.input, service.host().limits())?;
        let fields = sampling::Fields {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            seed: self.seed,
            stop: self.stop,
            max_tokens: self.max_output_tokens,
        };
        let generation = fields.request(messages)?;
        let response = ResponseObject::new(Echo {
            model: self.model,
            instructions: self.instructions,
            max_output_tokens: self.max_output_tokens,
            metadata,
            temperature: generation.sampling.temperature,
            top_p: generation.sampling.top_p,
        });
        Ok(ParsedRequest {
            generation,
            response,
            is_streamed: self.stream.unwrap_or_default(),
        })
    }
}

fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let is_long = |(key, value): (&String, &String)| key.len() + value.len() > MAX_METADATA_BYTES;
    if metadata.len() > MAX_METADATA || metadata.iter().any(is_long) {
        let message = said!(
            "`metadata`: at most {} entries of {} bytes are expected",
            MAX_METADATA,
            MAX_METADATA_BYTES
        );
        return Err(ApiError::invalid("metadata", message));
    }
    Ok(())
}
