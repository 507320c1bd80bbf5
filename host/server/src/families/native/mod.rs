//! Ampoule's own API under `/ampoule/v1`: everything that the library knows.

pub(crate) mod error;
mod models;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;

/// Returns the routes of this family.
pub(crate) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(models::list))
        .routes(routes!(models::get))
}
