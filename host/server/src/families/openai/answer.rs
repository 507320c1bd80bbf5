//! The answer to a request for text: whole, or as a stream.

use ampoule::{GenerationRequest, Model};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::core::generation::Events;
use crate::error::ApiError;
use crate::families::openai::choices::{ChoiceTypes, Head, Tally, whole};
use crate::families::openai::chunks::Chunks;
use crate::http::json::json_response;
use crate::http::{sse, stream};
use crate::request::context::Context;
use crate::service::Service;

/// A request for text that has been read.
#[derive(Debug)]
pub(crate) struct ParsedRequest {
    /// The model, as the caller names it.
    pub(crate) model: String,
    pub(crate) prompts: Vec<GenerationRequest>,
    /// Answers to each prompt.
    pub(crate) n: usize,
    pub(crate) is_streamed: bool,
    /// True for a stream that ends with its usage.
    pub(crate) has_usage: bool,
}

/// Options of a stream. Others are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiStreamOptions)]
pub(crate) struct StreamOptions {
    /// Adds a last part with the number of tokens.
    include_usage: Option<bool>,
}

impl StreamOptions {
    /// Tells whether the caller wants the usage.
    pub(crate) fn has_usage(options: Option<&Self>) -> bool {
        options
            .and_then(|options| options.include_usage)
            .unwrap_or_default()
    }
}

/// Answers a request for text of this model.
pub(crate) async fn answer<T: ChoiceTypes>(
    service: &Service,
    context: Context,
    model: Model,
    request: ParsedRequest,
) -> Result<Response, ApiError> {
    let patience = request.is_streamed.then_some(service.settings().silence);
    let choices = request.prompts.len() * request.n;
    let events = Events::start_each(&model, &context, request.prompts, request.n, patience).await?;
    let tally = Tally::new(request.n);
    if request.is_streamed {
        let head = Head::new(T::ID, T::CHUNK_OBJECT, request.model);
        let chunks = Chunks::<T>::new(head, choices, tally, request.has_usage);
        let media_type = sse::MEDIA_TYPE;
        return Ok(stream::response(
            media_type, service, context, events, chunks,
        ));
    }
    let head = Head::new(T::ID, T::OBJECT, request.model);
    let answer = whole::<T>(head, tally, events).await?;
    Ok(json_response(StatusCode::OK, &answer))
}
