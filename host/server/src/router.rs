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
