//! OpenAI's API under `/v1`.

mod answer;
mod chat;
mod choices;
mod chunks;
mod completions;
mod embeddings;
pub(crate) mod error;
mod models;
mod parts;
mod responses;
mod sampling;
mod unsupported;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;

/// Returns the routes of this family.
pub(crate) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(models::list))
        .routes(routes!(models::get))
        .routes(routes!(embeddings::create))
        .routes(routes!(chat::create))
        .routes(routes!(completions::create))
        .routes(routes!(responses::create))
}
