//! Tokens: `/tokenize`.

use ampoule::Task;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::input_checks::longer_than_read;
use crate::core::tokenization;
use crate::error::ApiError;
use crate::families::tei::error::ErrorBody;
use crate::families::tei::inputs::{Inputs, refuse_prompt};
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
    refuse_prompt(request.prompt_name.as_deref())?;
    let (texts, place) = request.inputs.texts(service.settings().texts)?;
    let model = query.call(&service, &context, Task::TextTokenization)?;
    let all = tokenization::texts(&model, &context, &texts, place).await?;
    if let Some(index) = all.tokens.iter().position(|tokens| tokens.is_truncated) {
        // TEI gives all tokens of a text, and has no word for some of them.
        return Err(longer_than_read(&model, place.item(index), ""));
    }
    let tokens = all.tokens.into_iter().map(|tokens| {
        let ids = tokens.ids.into_iter();
        ids.map(|id| Token { id }).collect::<Vec<_>>()
    });
    Ok(json_response(StatusCode::OK, &tokens.collect::<Vec<_>>()))
}
