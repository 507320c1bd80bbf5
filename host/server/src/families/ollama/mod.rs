//! Ollama's API under `/api`, and its greeting at `/`.

mod chat;
mod embed;
pub(crate) mod error;
mod generate;
mod generation;
mod models;
mod operator;
mod options;
mod progress;
mod root;
mod unsupported;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;

/// Returns the routes of this family.
pub(crate) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(root::root))
        .routes(routes!(root::version))
        .routes(routes!(models::tags))
        .routes(routes!(models::running))
        .routes(routes!(models::show))
        .routes(routes!(chat::chat))
        .routes(routes!(generate::generate))
        .routes(routes!(embed::embed))
        .routes(routes!(embed::embeddings))
        .merge(operator::routes())
}
