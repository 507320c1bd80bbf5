//! The models that are served: `/v1/models`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::openai::error::ErrorBody;
use crate::http::json::json_response;
use crate::http::name::Name;
use crate::models::Entry;
use crate::request::context::Context;
use crate::service::Service;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiModelList)]
pub(crate) struct ModelList {
    object: &'static str,
    data: Vec<ModelObject>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiModel)]
pub(crate) struct ModelObject {
    id: String,
    object: &'static str,
    /// Seconds since 1970: the date of the signed manifest, or the server's start for a model that is not loaded.
    created: i64,
    /// The publisher; `unknown` for a model that is not loaded.
    owned_by: String,
}

/// Lists the models, each under its own name and under each alias.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "OpenAI",
    operation_id = "openai_models",
    responses((status = 200, body = ModelList), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn list(State(service): State<Service>, context: Context) -> Response {
    let entries = service.visible(&context).entries();
    let names = entries.iter().flat_map(|entry| {
        let names = entry.names();
        names
            .map(|name| object(&service, entry, name))
            .collect::<Vec<_>>()
    });
    let data = names.collect();
    json_response(
        StatusCode::OK,
        &ModelList {
            object: "list",
            data,
        },
    )
}

/// Returns one model by any of its names, slashes included.
#[utoipa::path(
    get,
    path = "/v1/models/{*id}",
    tag = "OpenAI",
    params(("id" = String, Path, description = "A model's name or alias")),
    operation_id = "openai_model",
    responses((status = 200, body = ModelObject), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn get(
    State(service): State<Service>,
    context: Context,
    Name(id): Name,
) -> Result<Response, ApiError> {
    let entry = service
        .visible(&context)
        .entry(&id)
        .ok_or_else(ApiError::unknown_model)?;
    Ok(json_response(
        StatusCode::OK,
        &object(&service, &entry, &id),
    ))
}

fn object(service: &Service, entry: &Entry, name: &str) -> ModelObject {
    let model = entry.model();
    let manifest = model.as_ref().map(|model| model.manifest());
    ModelObject {
        id: name.to_owned(),
        object: "model",
        created: manifest
            .map_or_else(|| service.started(), |m| m.created())
            .as_second(),
        owned_by: manifest.map_or_else(|| "unknown".to_owned(), |m| m.publisher().to_owned()),
    }
}
