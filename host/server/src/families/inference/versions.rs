//! Versions of models, and the paths with one.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{OpenApi, PathItem, RefOr, Required};

use crate::error::ApiError;
use crate::said::Said;

/// The version that names the release which is served at the moment, for clients that count versions from 1.
pub(crate) const CURRENT: &str = "1";

/// The beginning of each described path of a model.
const MODEL: &str = "/v2/models/{name}";

/// Refuses a version of a model that is not the served one. A server has one version of a model at a time: that of the
/// signed manifest.
pub(crate) fn check(asked: Option<&str>, served: &str) -> Result<(), ApiError> {
    match asked {
        None | Some(CURRENT) => Ok(()),
        Some(asked) if asked == served => Ok(()),
        Some(_) => Err(ApiError::unknown_version(Said::of_operator(served))),
    }
}

/// Describes each path of a model with a version after the name too.
pub(crate) fn described(mut openapi: OpenApi) -> OpenApi {
    let with_version = |(path, item): (&String, &PathItem)| {
        let rest = path.strip_prefix(MODEL)?;
        let mut item = item.clone();
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            add_version(operation);
        }
        Some((format!("{MODEL}/versions/{{version}}{rest}"), item))
    };
    let paths = &mut openapi.paths.paths;
    let more: Vec<(String, PathItem)> = paths.iter().filter_map(with_version).collect();
    paths.extend(more);
    openapi
}

fn add_version(operation: &mut Operation) {
    if let Some(id) = &mut operation.operation_id {
        id.push_str("_of_version");
    }
    let version: Parameter = ParameterBuilder::new()
        .name("version")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("`1`, or the version of the served release"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(RefOr::T(version));
}
