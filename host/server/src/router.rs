//! All routes, as a router that a program can serve or mount in its own.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn_with_state, map_request};
use tower::util::service_fn;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::decompression::RequestDecompressionLayer;

use crate::families::{inference, native, ollama, openai, openapi, plain, tei};
use crate::http::host_guard;
use crate::outermost;
use crate::page;
use crate::protection::gate;
use crate::protection::routes::Routes;
use crate::service::Service;

/// Makes the router of a service.
///
/// It renders its own errors, those for unknown routes too, so a program that has more routes mounts it as its fallback:
/// `Router::new().route(…).fallback_service(ampoule_server::router(service))`.
pub fn router(service: Service) -> Router {
    let routes = openapi::with_document(&service, families(&service));
    within_layers(service, routes)
}

/// Returns the patterns of the routes that need a permission, as metrics and the access log name them.
#[must_use]
pub fn guarded_routes(service: &Service) -> BTreeSet<String> {
    families(service).guarded()
}

fn families(service: &Service) -> Routes {
    let families = [
        openai::routes,
        inference::routes,
        tei::routes,
        native::routes,
        ollama::routes,
        plain::routes,
        page::routes,
    ];
    let none = Routes::new(service);
    families.into_iter().fold(none, |routes, add| add(routes))
}

/// Puts the layers that all routes have around these ones, the outermost one included.
pub(crate) fn within_layers(service: Service, routes: Router<Service>) -> Router {
    let routes = routes
        .route_layer(map_request(outermost::note_route))
        .fallback(gate::no_route)
        .method_not_allowed_fallback(gate::wrong_method)
        // Unpacked as they are read, so the bound of a body counts what came out.
        .layer(RequestDecompressionLayer::new().pass_through_unaccepted(true))
        .layer(from_fn_with_state(service.clone(), host_guard::guard))
        .layer(CatchPanicLayer::custom(outermost::panicked))
        .with_state(service.clone());
    let outermost = service_fn(move |request: Request| {
        let (service, routes) = (service.clone(), routes.clone());
        async move { Ok(outermost::answer(&service, routes, request).await) }
    });
    Router::new().fallback_service(outermost)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeSet;

    use ampoule::{Host, TrustStore};
    use axum::body::Body;
    use axum::http::header::HOST;
    use http_body_util::BodyExt as _;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;
    use crate::http::field_names;
    use crate::metrics::Metrics;
    use crate::models::Models;
    use crate::settings::ServiceSettings;

    #[tokio::test]
    async fn errors_can_name_every_field_of_a_request_that_is_described() {
        let models = Models::default();
        let metrics = Metrics::new(&models);
        let host = Host::builder().trust(TrustStore::new()).build().unwrap();
        let service = Service::new(host, models, metrics, ServiceSettings::default());
        let request = Request::get("/openapi.json").header(HOST, "localhost");
        let answer = router(service).oneshot(request.body(Body::empty()).unwrap());
        let body = answer.await.unwrap().into_body().collect().await.unwrap();
        let document: Value = serde_json::from_slice(&body.to_bytes()).unwrap();
        let mut todo: Vec<&Value> = Vec::new();
        for item in members(&document["paths"]) {
            todo.extend(members(item).map(|operation| &operation["requestBody"]));
        }
        let (mut seen, mut fields) = (BTreeSet::new(), BTreeSet::new());
        while let Some(value) = todo.pop() {
            if let Some(name) = value["$ref"].as_str()
                && seen.insert(name)
            {
                let schema = name.rsplit('/').next().unwrap();
                todo.push(&document["components"]["schemas"][schema]);
            }
            if let Some(properties) = value["properties"].as_object() {
                fields.extend(properties.keys());
            }
            todo.extend(members(value));
            todo.extend(value.as_array().into_iter().flatten());
        }
        assert!(fields.len() > 50, "{fields:?}");
        for field in fields {
            assert_eq!(field_names::known(field), Some(field.as_str()));
        }
    }

    fn members(value: &Value) -> impl Iterator<Item = &Value> {
        let object = value.as_object().into_iter();
        object.flat_map(|object| object.values())
    }
}
