//! Texts in, vectors or tokens out.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::{embedding, tokenization};
use crate::error::ApiError;
use crate::families::native::call::{self, CallLimits, CallReport};
use crate::families::native::error::ErrorBody;
use crate::http::body::Json;
use crate::http::json::json_response;
use crate::http::name::Name;
use crate::request::context::Context;
use crate::service::Service;

/// Texts for a model. Fields that are not named here are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativeTexts)]
pub(crate) struct Request {
    texts: Vec<String>,
    limits: Option<CallLimits>,
    /// True refuses the request on a host that does not give the same bits on every machine.
    deterministic: Option<bool>,
}

/// A vector for each text, in the order of the texts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeTextEmbeddings)]
pub(crate) struct Vectors {
    dimensions: usize,
    vectors: Vec<Vec<f32>>,
    /// By text, true when it was longer than the model reads and was cut.
    truncated: Vec<bool>,
    #[serde(flatten)]
    call: CallReport,
}

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

/// Embeds texts, spread over as many sandboxes as keep all cores at work.
#[utoipa::path(
    post,
    path = "/ampoule/v1/models/{name}/text-embedding",
    tag = "Ampoule",
    operation_id = "native_text_embedding",
    params(("name" = String, Path, description = "A model's name or alias; a slash in it is written %2F")),
    request_body = Request,
    responses((status = 200, body = Vectors), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn embed(
    State(service): State<Service>,
    Name(name): Name,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    let texts = checked(&service, request.texts)?;
    let model = call::model(
        &service,
        &context,
        &name,
        request.limits,
        request.deterministic,
    )?;
    let embeddings = embedding::texts(&model, &context, &texts).await?;
    let answer = Vectors {
        dimensions: embeddings.dimensions,
        vectors: embeddings.vectors().map(<[f32]>::to_vec).collect(),
        call: CallReport::new(&model, Some(embeddings.usage), &embeddings.reports),
        truncated: embeddings.truncated,
    };
    Ok(json_response(StatusCode::OK, &answer))
}

/// Returns the tokens that the model makes of each text.
#[utoipa::path(
    post,
    path = "/ampoule/v1/models/{name}/text-tokenization",
    tag = "Ampoule",
    operation_id = "native_text_tokenization",
    params(("name" = String, Path, description = "A model's name or alias; a slash in it is written %2F")),
    request_body = Request,
    responses((status = 200, body = TokenLists), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn tokenize(
    State(service): State<Service>,
    Name(name): Name,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    let texts = checked(&service, request.texts)?;
    let model = call::model(
        &service,
        &context,
        &name,
        request.limits,
        request.deterministic,
    )?;
    let tokenized = tokenization::texts(&model, &context, &texts).await?;
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

fn checked(service: &Service, texts: Vec<String>) -> Result<Vec<String>, ApiError> {
    let most = service.settings().texts;
    if (1..=most).contains(&texts.len()) {
        return Ok(texts);
    }
    let message = format!(
        "`texts`: 1 to {most} texts are expected, and {} were found",
        texts.len()
    );
    Err(ApiError::invalid("texts", message))
}
