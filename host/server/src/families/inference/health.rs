//! Health: alone by the status, with an empty body where all is well.

use axum::extract::State;
use axum::http::StatusCode;

use crate::error::ApiError;
use crate::families::inference::error::ErrorBody;
use crate::families::inference::paths::ModelPath;
use crate::families::inference::versions;
use crate::request::context::Context;
use crate::service::Service;

/// Says that the process answers.
#[utoipa::path(
    get,
    path = "/v2/health/live",
    tag = "Open Inference Protocol",
    operation_id = "inference_live",
    responses((status = 200, description = "The process answers")),
)]
pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// Says whether every model answers requests.
#[utoipa::path(
    get,
    path = "/v2/health/ready",
    tag = "Open Inference Protocol",
    operation_id = "inference_ready",
    responses(
        (status = 200, description = "Every model answers"),
        (status = 400, body = ErrorBody, description = "A model does not answer yet"),
    ),
)]
pub(crate) async fn ready(
    State(service): State<Service>,
    context: Context,
) -> Result<StatusCode, ApiError> {
    service.check_ready(&context).await.map_err(not_ready)?;
    Ok(StatusCode::OK)
}

/// Says whether a model answers requests. `versions/{version}` may stand before `ready`.
#[utoipa::path(
    get,
    path = "/v2/models/{name}/ready",
    tag = "Open Inference Protocol",
    operation_id = "inference_model_ready",
    params(("name" = String, Path, description = "A model's name or alias")),
    responses(
        (status = 200, description = "The model answers"),
        (status = 400, body = ErrorBody, description = "The model does not answer yet"),
        (status = "default", body = ErrorBody),
    ),
)]
pub(crate) async fn model_ready(
    service: &Service,
    context: &Context,
    path: ModelPath<'_>,
) -> Result<StatusCode, ApiError> {
    let found = service
        .visible(context)
        .find(path.name)
        .map_err(not_ready)?;
    found.entry.check().await.map_err(not_ready)?;
    versions::check(path.version, &found.model.manifest().version().to_string())?;
    Ok(StatusCode::OK)
}

/// Makes a state that will pass into a 400: the protocol has no 5xx for a model that is not ready.
fn not_ready(error: ApiError) -> ApiError {
    let status = match error.status {
        StatusCode::SERVICE_UNAVAILABLE => StatusCode::BAD_REQUEST,
        status => status,
    };
    ApiError { status, ..error }
}
