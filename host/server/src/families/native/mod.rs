//! Ampoule's own API under `/ampoule/v1`: everything that the library knows.

mod call;
pub(crate) mod error;
mod form;
mod generation;
mod images;
mod models;
mod texts;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;

/// Returns the routes of this family.
pub(crate) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(models::list))
        .routes(routes!(models::get))
        .routes(routes!(texts::embed))
        .routes(routes!(texts::tokenize))
        .routes(routes!(images::embed))
        .routes(routes!(images::classify))
        .routes(routes!(generation::generate))
}
