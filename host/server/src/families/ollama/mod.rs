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

use ampoule_access::Permission;
use utoipa_axum::routes;

use crate::protection::routes::Routes;
use crate::protection::rule::Rule;

/// Adds the routes of this family.
pub(crate) fn routes(routes: Routes) -> Routes {
    operator::routes(routes)
        .add(Rule::Public, routes!(root::root))
        .add(Rule::Public, routes!(root::version))
        .add(Rule::Needs(Permission::List), routes!(models::tags))
        .add(Rule::Needs(Permission::List), routes!(models::running))
        .add(Rule::Needs(Permission::List), routes!(models::show))
        .add(Rule::Needs(Permission::Infer), routes!(chat::chat))
        .add(Rule::Needs(Permission::Infer), routes!(generate::generate))
        .add(Rule::Needs(Permission::Infer), routes!(embed::embed))
        .add(Rule::Needs(Permission::Infer), routes!(embed::embeddings))
}
