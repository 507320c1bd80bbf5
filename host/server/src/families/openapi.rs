//! The description of all routes, made of their types: `/openapi.json`.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::{Extension, Router};
use bytes::Bytes;
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, ServerBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;

/// The document, written once.
#[derive(Clone)]
struct Document(Bytes);

/// Adds the route that describes all of these routes and itself.
pub(crate) fn with_document(routes: OpenApiRouter<Service>) -> Router<Service> {
    let (own, described) = OpenApiRouter::new()
        .routes(routes!(document))
        .split_for_parts();
    let (routes, mut openapi) = routes.split_for_parts();
    openapi.merge(described);
    finish(&mut openapi);
    let text = serde_json::to_vec(&openapi).unwrap_or_else(|error| {
        tracing::error!(target: "ampoule::server", %error, "the OpenAPI document could not be written");
        b"{}".to_vec()
    });
    routes.merge(own.layer(Extension(Document(text.into()))))
}

/// Describes every route with the schemas of its requests, answers and errors.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Operation",
    operation_id = "openapi",
    responses((status = 200, body = serde_json::Value, description = "An OpenAPI 3.1 document")),
)]
async fn document(Extension(Document(text)): Extension<Document>) -> Response {
    let mut response = Response::new(Body::from(text));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Puts in the parts of the document that no single route has.
fn finish(openapi: &mut OpenApi) {
    openapi.info = InfoBuilder::new()
        .title("Ampoule")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Signed models in sandboxes, by the routes of OpenAI's, Ollama's, KServe's and \
             text-embeddings-inference's clients, and by Ampoule's own",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ))
        .build();
    openapi.servers = Some(vec![ServerBuilder::new().url("/").build()]);
    // The router writes a parameter that takes slashes as `{*name}`, which OpenAPI has no form for.
    let paths = std::mem::take(&mut openapi.paths.paths);
    openapi.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
}
