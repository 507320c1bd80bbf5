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

use ampoule_access::Permission;
use utoipa_axum::routes;

use crate::protection::routes::Routes;
use crate::protection::rule::Rule;

/// Adds the routes of this family.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .add(Rule::Needs(Permission::List), routes!(models::list))
        .add(Rule::Needs(Permission::List), routes!(models::get))
        .add(Rule::Needs(Permission::Infer), routes!(embedding::texts))
        .add(
            Rule::Needs(Permission::Infer),
            routes!(tokenization::tokenize),
        )
        .add(Rule::Needs(Permission::Infer), routes!(embedding::images))
        .add(
            Rule::Needs(Permission::Infer),
            routes!(classification::classify),
        )
        .add(
            Rule::Needs(Permission::Infer),
            routes!(generation::generate),
        )
}
