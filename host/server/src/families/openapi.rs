//! The description of all routes, made of their types: `/openapi.json`.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::{Extension, Router};
use bytes::Bytes;
use serde_json::{Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, ServerBuilder};
use utoipa_axum::routes;

use crate::http::sse;
use crate::protection::routes::{Routes, SECURITY};
use crate::protection::rule::Rule;
use crate::service::Service;

/// The document, written once.
#[derive(Clone)]
struct Document(Bytes);

/// Adds the route that describes all of these routes and itself.
pub(crate) fn with_document(service: &Service, routes: Routes) -> Router<Service> {
    let own = Routes::new(service).add(Rule::Public, routes!(document));
    let (own, described) = own.finish();
    let (routes, mut openapi) = routes.finish();
    openapi.merge(described);
    finish(&mut openapi, service.protection().is_on());
    let mut document = serde_json::to_value(&openapi).unwrap_or_else(|error| {
        tracing::error!(target: "ampoule::server", %error, "the OpenAPI document could not be written");
        json!({})
    });
    describe_events(&mut document);
    let text = document.to_string();
    routes.merge(own.layer(Extension(Document(text.into()))))
}

/// Describes streams by their events, as the readers of such documents expect, and no longer by the JSON within. The JSON
/// of most events stays as an annotation: an error and the mark of the end have other forms.
fn describe_events(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter();
    let items = paths.flat_map(|paths| paths.values_mut());
    let operations = items.filter_map(Value::as_object_mut);
    for operation in operations.flat_map(|item| item.values_mut()) {
        let answers = operation.pointer_mut("/responses/200/content");
        let Some(stream) = answers.and_then(|content| content.get_mut(sse::MEDIA_TYPE)) else {
            continue;
        };
        let data = stream["schema"].take();
        stream["schema"] = json!({
            "type": "object",
            "description": "An event",
            "required": ["data"],
            "properties": {
                "event": {"type": "string"},
                "data": {
                    "type": "string",
                    "description": "JSON of this form, or an error, or the mark of the end",
                    "contentSchema": data,
                },
            },
        });
    }
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
fn finish(openapi: &mut OpenApi, is_protected: bool) {
    if is_protected {
        let key = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key of this server"))
            .build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme(SECURITY, SecurityScheme::Http(key));
    }
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
