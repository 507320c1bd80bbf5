//! Tokens: `/tokenize`.

use ampoule::Task;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::tokenization;
use crate::error::ApiError;
use crate::families::tei::error::ErrorBody;
use crate::families::tei::inputs::{Inputs, too_much};
use crate::families::tei::model::Query;
use crate::http::body::Json;
use crate::http::json::json_response;
use crate::request::context::Context;
use crate::service::Service;

/// A request for tokens. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TeiTokenizeRequest)]
pub(crate) struct Request {
    inputs: Inputs,
    /// True, or absent: the model's tokenizer adds its special tokens.
    add_special_tokens: Option<bool>,
    /// Refused: models here have no named prompts.
    prompt_name: Option<String>,
}

/// A token. Models here tell the ids alone: neither the text of a token nor its place.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeiToken)]
pub(crate) struct Token {
    id: u32,
}

/// Tokenizes texts: a list of tokens for each, for a single text too.
#[utoipa::path(
    post,
    path = "/tokenize",
    tag = "text-embeddings-inference",
    operation_id = "tei_tokenize",
    params(Query),
    request_body = Request,
    responses((status = 200, body = Vec<Vec<Token>>), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn tokenize(
    State(service): State<Service>,
    context: Context,
    query: Query,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    if request.add_special_tokens == Some(false) {
        let message = "`add_special_tokens`: models here add them always; leave the field out";
        return Err(ApiError::unsupported("add_special_tokens", message));
    }
    if request.prompt_name.is_some() {
        let message =
            "`prompt_name`: models here have no named prompts; put the prompt before each text";
        return Err(ApiError::unsupported("prompt_name", message));
    }
    let texts = request.inputs.texts(service.settings().texts)?;
    let found = query.find(&service, Task::TextTokenization)?;
    let model = service.call(&found.entry.name, &context)?;
    let all = tokenization::texts(&model, &context, &texts)
        .await
        .map_err(|error| {
            if error.is_too_long {
                too_much(error)
            } else {
                error
            }
        })?;
    if let Some(index) = all.tokens.iter().position(|tokens| tokens.is_truncated) {
        // TEI gives all tokens of a text, and has no word for some of them.
        let message = format!("`inputs`: text {index} is longer than the model reads; shorten it");
        return Err(too_much(ApiError::invalid("inputs", message)));
    }
    let tokens = all.tokens.into_iter().map(|tokens| {
        let ids = tokens.ids.into_iter();
        ids.map(|id| Token { id }).collect::<Vec<_>>()
    });
    Ok(json_response(StatusCode::OK, &tokens.collect::<Vec<_>>()))
}
