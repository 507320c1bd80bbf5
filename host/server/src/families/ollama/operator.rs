//! Routes of Ollama's that change its models. Here models are the operator's, so each of these routes refuses.

use ampoule_access::Permission;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::families::ollama::error::ErrorBody;
use crate::protection::routes::Routes;
use crate::protection::rule::Rule;

/// Makes a route that refuses.
macro_rules! refused {
    ($name:ident, $method:ident, $path:literal, $id:literal) => {
        #[doc = "Refuses: models are the operator's."]
        #[utoipa::path(
                                                    $method,
                                                    path = $path,
                                                    tag = "Ollama",
                                                    operation_id = $id,
                                                    responses((status = 403, body = ErrorBody)),
                                                )]
        async fn $name() -> ApiError {
            ApiError::operators_only()
        }
    };
}

refused!(pull, post, "/api/pull", "ollama_pull");
refused!(push, post, "/api/push", "ollama_push");
refused!(create, post, "/api/create", "ollama_create");
refused!(copy, post, "/api/copy", "ollama_copy");
refused!(delete, delete, "/api/delete", "ollama_delete");

/// Refuses: models are the operator's.
#[utoipa::path(
    method(head, post),
    path = "/api/blobs/{digest}",
    tag = "Ollama",
    params(("digest" = String, Path, description = "A digest")),
    responses((status = 403, body = ErrorBody)),
)]
async fn blob() -> ApiError {
    ApiError::operators_only()
}

/// Adds these routes.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .add(Rule::Needs(Permission::Infer), routes!(pull))
        .add(Rule::Needs(Permission::Infer), routes!(push))
        .add(Rule::Needs(Permission::Infer), routes!(create))
        .add(Rule::Needs(Permission::Infer), routes!(copy))
        .add(Rule::Needs(Permission::Infer), routes!(delete))
        .add(Rule::Needs(Permission::Infer), routes!(blob))
}
