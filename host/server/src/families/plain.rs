//! Routes of no family: the state of the server, for those who watch it.

use std::collections::BTreeMap;

use ampoule_access::Permission;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use prometheus_client::encoding::prometheus_text;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::http::json::json_response;
use crate::models::Entry;
use crate::protection::routes::Routes;
use crate::protection::rule::Rule;
use crate::request::context::Context;
use crate::service::Service;

/// Adds the routes.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .add(Rule::Public, routes!(health))
        .add(Rule::Public, routes!(ready))
        .add(Rule::Needs(Permission::Metrics), routes!(metrics))
}

/// State of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadyReport {
    /// True when every model answers new requests.
    is_ready: bool,
    /// True once the server is ending: requests that have begun are answered, new ones are refused.
    is_draining: bool,
    /// The code of the error for which the audit log cannot be written. Absent for callers who may not read metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    audit_error: Option<&'static str>,
    /// By the models' own names. Absent for callers who may not read metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    models: Option<BTreeMap<String, ModelReport>>,
    /// Code of the error for which API keys are accepted as they were, and not as the key directory has them now. Absent
    /// for callers who may not read metrics. The server stays ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    keys_error: Option<&'static str>,
    /// Code of the error for which tokens are checked by the keys that their issuer had, and not by those of its file
    /// now. Absent for callers who may not read metrics. The server stays ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tokens_error: Option<&'static str>,
}

/// State of one model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelReport {
    /// `loading`, `failed`, `ready`, or `untrusted`: a model that was up, and may not be asked any more.
    state: &'static str,
    /// The number of the release that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<u64>,
    /// The version of the release that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// The code of the error for which the model is not ready. The server's log has the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The code of the error for which the release in the model's place is refused, while the one before it serves on.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_error: Option<String>,
}

/// Says that the process answers.
#[utoipa::path(get, path = "/healthz", tag = "Operation", responses((status = 200, description = "The process answers")))]
pub(crate) async fn health() -> StatusCode {
    StatusCode::OK
}

/// Tells whether every model answers new requests. A release that is refused while the one before it serves on, and a
/// full queue, leave the server ready: it answers.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Operation",
    responses((status = 200, body = ReadyReport), (status = 503, body = ReadyReport)),
)]
pub(crate) async fn ready(State(service): State<Service>, context: Context) -> Response {
    let is_draining = service.is_draining();
    let is_ready = service.check_ready(&context).await.is_ok();
    let (mut models, mut keys_error, mut tokens_error) = (None, None, None);
    let mut audit_error = None;
    if context.may(Permission::Metrics) {
        keys_error = service.protection().keys_fault();
        tokens_error = service.protection().tokens_fault();
        let audit = service.protection().audit();
        audit_error = audit.and_then(|audit| audit.state().failing);
        let models = models.insert(BTreeMap::new());
        for entry in service.visible(&context).entries() {
            models.insert(entry.name.to_string(), report(&entry).await);
        }
    }
    let report = ReadyReport {
        is_ready,
        is_draining,
        audit_error,
        models,
        keys_error,
        tokens_error,
    };
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json_response(status, &report)
}

async fn report(entry: &Entry) -> ModelReport {
    entry.look().await;
    let mut report = ModelReport {
        state: entry.readiness().name(),
        release: None,
        version: None,
        error: entry.failure(),
        candidate_error: entry.refusal().map(|refusal| refusal.code().to_owned()),
    };
    if let Some(model) = entry.model() {
        report.release = Some(model.facts().release);
        report.version = Some(model.facts().version.clone());
    }
    report
}

/// Lists the server's metrics in Prometheus' text format. The format does not hang on what the scraper accepts.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Operation",
    responses((status = 200, body = String, content_type = "text/plain; version=0.0.4; charset=utf-8")),
)]
pub(crate) async fn metrics(State(service): State<Service>) -> Result<Response, ApiError> {
    service.look_at_models().await;
    let protection = service.protection();
    let audit = protection.audit().map(|audit| audit.state());
    let text = service
        .metrics()
        .encode(service.host(), protection.answers(), audit);
    let text = text.map_err(|_| ApiError::internal("the metrics could not be written"))?;
    let mut response = Response::new(Body::from(text));
    let text = HeaderValue::from_static(prometheus_text::CONTENT_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}
