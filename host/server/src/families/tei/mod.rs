//! The API of text-embeddings-inference, which serves one model a process and names none in its requests.

mod embed;
pub(crate) mod error;
mod info;
mod inputs;
mod model;
mod tokenize;

use ampoule_access::Permission;
use utoipa_axum::routes;

use crate::protection::routes::Routes;
use crate::protection::rule::Rule;

/// Adds the routes of this family.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .add(Rule::Needs(Permission::Infer), routes!(embed::root))
        .add(Rule::Needs(Permission::Infer), routes!(embed::embed))
        .add(Rule::Needs(Permission::Infer), routes!(tokenize::tokenize))
        .add(Rule::Needs(Permission::List), routes!(info::info))
        .add(Rule::Public, routes!(info::health))
}
