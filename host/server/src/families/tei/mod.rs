//! The API of text-embeddings-inference, which serves one model a process and names none in its requests.

mod embed;
pub(crate) mod error;
mod info;
mod inputs;
mod model;
mod tokenize;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;

/// Returns the routes of this family.
pub(crate) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(embed::root))
        .routes(routes!(embed::embed))
        .routes(routes!(tokenize::tokenize))
        .routes(routes!(info::info))
        .routes(routes!(info::health))
}
