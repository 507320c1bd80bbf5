//! Routes of no family: the state of the server, for those who watch it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::json::json_response;
use crate::models::Readiness;
use crate::service::Service;

/// Returns the routes.
pub(crate) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(ready))
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadyReport {
    is_ready: bool,
    /// `loading`, `failed` or `ready`, by the model's name.
    models: BTreeMap<String, String>,
}

/// Says that the process answers.
#[utoipa::path(get, path = "/healthz", tag = "Operation", responses((status = 200, description = "The process answers")))]
pub(crate) async fn health() -> StatusCode {
    StatusCode::OK
}

/// Says whether every model answers requests.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Operation",
    responses((status = 200, body = ReadyReport), (status = 503, body = ReadyReport)),
)]
pub(crate) async fn ready(State(service): State<Service>) -> Response {
    let states = service.models().readiness();
    let is_ready = states.iter().all(|(_, state)| *state == Readiness::Ready);
    let models = states
        .into_iter()
        .map(|(name, state)| (name.to_string(), state.to_string()));
    let report = ReadyReport {
        is_ready,
        models: models.collect(),
    };
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json_response(status, &report)
}
