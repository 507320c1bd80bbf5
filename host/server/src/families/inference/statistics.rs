//! Statistics of inferences, in the form of Triton's extension.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::inference::counts::ModelStatistics;
use crate::families::inference::error::ErrorBody;
use crate::families::inference::paths::ModelPath;
use crate::families::inference::versions;
use crate::http::json::json_response;
use crate::service::Service;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceStatistics)]
pub(crate) struct StatisticsBody {
    model_stats: Vec<ModelStatistics>,
}

/// Returns the statistics of all models that answer.
#[utoipa::path(
    get,
    path = "/v2/models/stats",
    tag = "Open Inference Protocol",
    operation_id = "inference_all_statistics",
    responses((status = 200, body = StatisticsBody)),
)]
pub(crate) async fn all(State(service): State<Service>) -> Response {
    let entries = service.models().entries();
    let served = entries
        .iter()
        .filter_map(|entry| Some((entry, entry.model()?)));
    let model_stats = served.map(|(entry, model)| {
        let version = model.manifest().version().to_string();
        service.statistics().of(&entry.name, &version)
    });
    let body = StatisticsBody {
        model_stats: model_stats.collect(),
    };
    json_response(StatusCode::OK, &body)
}

/// Returns the statistics of one model, under its own name. `versions/{version}` may stand before `stats`.
#[utoipa::path(
    get,
    path = "/v2/models/{name}/stats",
    tag = "Open Inference Protocol",
    operation_id = "inference_statistics",
    params(("name" = String, Path, description = "A model's name or alias")),
    responses((status = 200, body = StatisticsBody), (status = "default", body = ErrorBody)),
)]
pub(crate) fn one(service: &Service, path: ModelPath<'_>) -> Result<Response, ApiError> {
    let found = service.models().find(path.name)?;
    let version = found.model.manifest().version().to_string();
    versions::check(path.version, &version)?;
    let body = StatisticsBody {
        model_stats: vec![service.statistics().of(&found.entry.name, &version)],
    };
    Ok(json_response(StatusCode::OK, &body))
}
