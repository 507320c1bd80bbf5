//! The Open Inference Protocol, version 2, under `/v2`, as KServe and Triton speak it: JSON, and with the binary extension
//! tensors as bytes.

mod answer;
mod body;
mod data;
mod datatype;
pub(crate) mod error;
mod health;
mod infer;
mod input;
mod metadata;
mod output;
mod parameters;
mod paths;
mod request;
mod run;
mod statistics;
mod tasks;
mod versions;

use ampoule_access::Permission;
use axum::extract::{Request, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse as _, Response};
use axum::routing;
use utoipa::OpenApi;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::families::inference::paths::{Action, ModelPath};
use crate::http::name::Name;
use crate::protection::routes::Routes;
use crate::protection::rule::Rule;
use crate::request::context::Context;
use crate::service::Service;

/// The routes of models, which one route of the router serves: names may have slashes, so paths are read from their end.
#[derive(OpenApi)]
#[openapi(paths(infer::infer, health::model_ready, metadata::model, statistics::one))]
struct ModelRoutes;

/// Adds the routes of this family.
pub(crate) fn routes(routes: Routes) -> Routes {
    let described = versions::described(ModelRoutes::openapi());
    routes
        .add_by_name("/v2/models/", rule_of, described, routing::any(model))
        .add(Rule::Needs(Permission::List), routes!(metadata::server))
        .add(Rule::Needs(Permission::List), routes!(metadata::index))
        .add(Rule::Public, routes!(health::live))
        .add(Rule::Public, routes!(health::ready))
        .add(Rule::Needs(Permission::List), routes!(statistics::all))
}

/// Returns the rule of a path of a model. A request by another method than the path takes is refused after the gate.
fn rule_of(path: &str) -> Rule {
    Rule::Needs(match ModelPath::parse(path).action {
        Action::Infer => Permission::Infer,
        Action::Metadata | Action::Ready | Action::Statistics => Permission::List,
    })
}

/// Serves a path of a model by its last part, whatever the method: the router knows the beginning of the path alone.
async fn model(
    State(service): State<Service>,
    context: Context,
    method: Method,
    Name(path): Name,
    request: Request,
) -> Result<Response, ApiError> {
    let whole = path;
    let path = ModelPath::parse(&whole);
    if path.action == Action::Metadata && is_below_a_model(&service, &context, path.name) {
        return Err(ApiError::no_route(&format!("/v2/models/{whole}")));
    }
    let is_read = method == Method::GET || method == Method::HEAD;
    match path.action {
        Action::Infer if method == Method::POST => {
            infer::infer(&service, &context, path, request).await
        }
        Action::Infer => Ok(not_allowed(&method, "POST")),
        _ if !is_read => Ok(not_allowed(&method, "GET,HEAD")),
        Action::Metadata => metadata::model(&service, &context, path),
        Action::Ready => {
            let ready = health::model_ready(&service, &context, path).await?;
            Ok(ready.into_response())
        }
        Action::Statistics => statistics::one(&service, &context, path),
    }
}

/// Tells whether a name that no model has begins with a model's: its last parts are a route that there is not.
fn is_below_a_model(service: &Service, context: &Context, name: &str) -> bool {
    let is_model = |name| service.visible(context).entry(name).is_some();
    let mut slashes = name.match_indices('/');
    !is_model(name) && slashes.any(|(at, _)| name.get(..at).is_some_and(is_model))
}

fn not_allowed(method: &Method, allowed: &'static str) -> Response {
    let mut response = ApiError::wrong_method(method).into_response();
    let allowed = HeaderValue::from_static(allowed);
    response.headers_mut().insert(ALLOW, allowed);
    response
}
