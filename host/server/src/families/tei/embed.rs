//! Vectors: `/embed`, and `/` as another address of it.

use ampoule::Task;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::core::embedding::{self, Demands, LongTexts};
use crate::error::ApiError;
use crate::families::tei::error::ErrorBody;
use crate::families::tei::inputs::{Inputs, refuse_prompt};
use crate::families::tei::model::Query;
use crate::http::body::Json;
use crate::http::json::json_response;
use crate::request::context::Context;
use crate::service::Service;

/// A request for vectors. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TeiEmbedRequest)]
pub(crate) struct Request {
    inputs: Inputs,
    /// False refuses texts that are longer than the model reads. Otherwise their beginnings are embedded.
    truncate: Option<bool>,
    /// `Right`, or absent: the end of a text is left out.
    truncation_direction: Option<String>,
    /// Refused: models here have no named prompts.
    prompt_name: Option<String>,
    /// False for vectors as the model gives them. Otherwise they have the length 1.
    normalize: Option<bool>,
    /// Number of values of each vector: the model's own, or one that the model was trained to be cut to.
    dimensions: Option<u64>,
}

/// Embeds texts: a vector for each, for a single text too.
#[utoipa::path(
    post,
    path = "/embed",
    tag = "text-embeddings-inference",
    operation_id = "tei_embed",
    params(Query),
    request_body = Request,
    responses((status = 200, body = Vec<Vec<f32>>), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn embed(
    State(service): State<Service>,
    context: Context,
    query: Query,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    answer(&service, &context, &query, request).await
}

/// Embeds texts, as `/embed` does: the clients of hosted models know an address and no path.
#[utoipa::path(
    post,
    path = "/",
    tag = "text-embeddings-inference",
    operation_id = "tei_root",
    params(Query),
    request_body = Request,
    responses((status = 200, body = Vec<Vec<f32>>), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn root(
    State(service): State<Service>,
    context: Context,
    query: Query,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    answer(&service, &context, &query, request).await
}

async fn answer(
    service: &Service,
    context: &Context,
    query: &Query,
    request: Request,
) -> Result<Response, ApiError> {
    let direction = request.truncation_direction.as_deref();
    if direction.is_some_and(|direction| !direction.eq_ignore_ascii_case("right")) {
        let message =
            "`truncation_direction`: Right is expected; models here read the beginning of a text";
        return Err(ApiError::unsupported("truncation_direction", message));
    }
    refuse_prompt(request.prompt_name.as_deref())?;
    let (texts, place) = request.inputs.texts(service.settings().texts)?;
    let model = query.call(service, context, Task::TextEmbedding)?;
    let demands = Demands {
        place,
        dimensions: request.dimensions,
        long_texts: LongTexts::of(request.truncate),
    };
    let mut embeddings = embedding::texts(&model, context, &texts, demands).await?;
    if request.normalize.unwrap_or(true) {
        embeddings.normalize();
    }
    let vectors: Vec<&[f32]> = embeddings.vectors().collect();
    Ok(json_response(StatusCode::OK, &vectors))
}
