//! Texts in, tokens out.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::place::Place;
use crate::core::tokenization;
use crate::error::ApiError;
use crate::families::native::call::{self, CallReport};
use crate::families::native::error::ErrorBody;
use crate::families::native::texts::{TEXTS, Texts};
use crate::http::body::Json;
use crate::http::json::json_response;
use crate::http::name::Name;
use crate::request::context::Context;
use crate::service::Service;

/// The tokens of each text, in the order of the texts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeTextTokens)]
pub(crate) struct TokenLists {
    tokens: Vec<Tokens>,
    #[serde(flatten)]
    call: CallReport,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeTokens)]
pub(crate) struct Tokens {
    /// Indices in the vocabulary, special tokens included.
    ids: Vec<u32>,
    /// True when the text was longer than the model reads and was cut.
    is_truncated: bool,
}

/// Returns the tokens that the model makes of each text.
#[utoipa::path(
    post,
    path = "/ampoule/v1/models/{name}/text-tokenization",
    tag = "Ampoule",
    operation_id = "native_text_tokenization",
    params(("name" = String, Path, description = "A model's name or alias; a slash in it is written %2F")),
    request_body = Texts,
    responses((status = 200, body = TokenLists), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn tokenize(
    State(service): State<Service>,
    Name(name): Name,
    context: Context,
    Json(request): Json<Texts>,
) -> Result<Response, ApiError> {
    request.check(&service)?;
    let model = call::model(
        &service,
        &context,
        &name,
        request.limits,
        request.deterministic,
    )?;
    let place = Place::list(TEXTS);
    let tokenized = tokenization::texts(&model, &context, &request.texts, place).await?;
    let tokens = tokenized.tokens.into_iter().map(|tokens| Tokens {
        ids: tokens.ids,
        is_truncated: tokens.is_truncated,
    });
    let answer = TokenLists {
        tokens: tokens.collect(),
        call: CallReport::new(&model, None, &tokenized.reports),
    };
    Ok(json_response(StatusCode::OK, &answer))
}
