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

use ampoule_access::Permission;
use utoipa_axum::routes;

use crate::protection::routes::Routes;
use crate::protection::rule::Rule;

/// Adds the routes of this family.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .add(Rule::Needs(Permission::List), routes!(models::list))
        .add(Rule::Needs(Permission::List), routes!(models::get))
        .add(Rule::Needs(Permission::Infer), routes!(embeddings::create))
        .add(Rule::Needs(Permission::Infer), routes!(chat::create))
        .add(Rule::Needs(Permission::Infer), routes!(completions::create))
        .add(Rule::Needs(Permission::Infer), routes!(responses::create))
}
