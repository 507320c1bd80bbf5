//! Vectors: `/embed`.

use ampoule::Task;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::core::embedding;
use crate::error::ApiError;
use crate::families::tei::error::ErrorBody;
use crate::families::tei::inputs::{Inputs, too_much};
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
    let direction = request.truncation_direction.as_deref();
    if direction.is_some_and(|direction| !direction.eq_ignore_ascii_case("right")) {
        let message =
            "`truncation_direction`: Right is expected; models here read the beginning of a text";
        return Err(ApiError::unsupported("truncation_direction", message));
    }
    if request.prompt_name.is_some() {
        let message =
            "`prompt_name`: models here have no named prompts; put the prompt before each text";
        return Err(ApiError::unsupported("prompt_name", message));
    }
    let texts = request.inputs.texts(service.settings().texts)?;
    let found = query.find(&service, Task::TextEmbedding)?;
    let model = service.call(&found.entry.name, &context)?;
    let mut embeddings = embedding::texts(&model, &context, &texts)
        .await
        .map_err(|error| {
            if error.is_too_long {
                too_much(error)
            } else {
                error
            }
        })?;
    if request.truncate == Some(false)
        && let Some(index) = embeddings.truncated.iter().position(|cut| *cut)
    {
        let message = format!(
            "`inputs`: text {index} is longer than the model reads; shorten it, or let `truncate` be true"
        );
        return Err(too_much(ApiError::invalid("inputs", message)));
    }
    if let Some(asked) = request.dimensions {
        embeddings.shorten(model.info(), asked)?;
    }
    if request.normalize.unwrap_or(true) {
        embeddings.normalize();
    }
    let vectors: Vec<&[f32]> = embeddings.vectors().collect();
    Ok(json_response(StatusCode::OK, &vectors))
}
