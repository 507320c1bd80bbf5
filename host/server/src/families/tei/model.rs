//! The model that answers: `?model=`, or the first that does the task.

use std::collections::BTreeSet;
use std::convert::Infallible;

use ampoule::{Model, Task};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use utoipa::IntoParams;

use crate::error::{self, ApiError};
use crate::models::{Found, Readiness};
use crate::request::context::Context;
use crate::said::{Said, said};
use crate::service::Service;

/// The query of a request.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// A model's name or alias. Without it, the first model that does the task answers, in the order of the names.
    model: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let model = pairs.find(|(name, _)| name == "model");
        Ok(Self {
            model: model.map(|(_, model)| model.into_owned()),
        })
    }
}

impl Query {
    /// Returns the model of a request for `task`, for calls of this request.
    pub(crate) fn call(
        &self,
        service: &Service,
        context: &Context,
        task: Task,
    ) -> Result<Model, ApiError> {
        let found = self.find(service, context, task)?;
        service.call(&found.entry.name, context)
    }

    /// Returns the model of a request for `task`. While a model before it in the order is not up, nobody knows whether
    /// that one is the first, and a guess could mix vectors of two models.
    pub(crate) fn find(
        &self,
        service: &Service,
        context: &Context,
        task: Task,
    ) -> Result<Found, ApiError> {
        let visible = service.visible(context);
        if let Some(name) = &self.model {
            return visible.find(name);
        }
        let mut offered = BTreeSet::new();
        for entry in visible.entries() {
            match (entry.readiness(), entry.model()) {
                (_, Some(model)) => {
                    let tasks = context.tasks_of(&model);
                    if tasks.contains(&task) {
                        return Ok(Found { entry, model });
                    }
                    offered.extend(tasks);
                }
                (Readiness::Failed, None) => return Err(ApiError::unavailable(entry.said())),
                (_, None) => return Err(ApiError::loading(entry.said())),
            }
        }
        let mut offered: Vec<Task> = offered.into_iter().collect();
        offered.sort_unstable_by_key(|task| task.name());
        let message = said!(
            "no model that is served here does {}; they do {}: {}",
            task,
            Said::joined(offered.iter().copied(), ", "),
            error::routes_of(task, &offered)
        );
        Err(ApiError::unsupported("model", message))
    }
}
