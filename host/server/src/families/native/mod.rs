//! Ampoule's own API under `/ampoule/v1`: everything that the library knows.

mod call;
mod classification;
mod embedding;
pub(crate) mod error;
mod form;
mod generation;
mod models;
mod texts;
mod tokenization;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;

/// Returns the routes of this family.
pub(crate) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(models::list))
        .routes(routes!(models::get))
        .routes(routes!(embedding::texts))
        .routes(routes!(tokenization::tokenize))
        .routes(routes!(embedding::images))
        .routes(routes!(classification::classify))
        .routes(routes!(generation::generate))
}
