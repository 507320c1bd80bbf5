//! Limits that a request sets for itself, in the words of its family.

use ampoule::{Error, Limit};

use crate::error::ApiError;
use crate::said::{Said, said};

/// The fields of a family's requests that lower a limit of a call. The caller knows them, and not the host's settings.
pub(crate) type LimitFields = [(Limit, &'static str)];

/// Names the field in a refusal of a limit.
pub(crate) fn named(error: Error, fields: &LimitFields) -> ApiError {
    let Error::LimitRange {
        name,
        found,
        least,
        most,
    } = &error
    else {
        return error.into();
    };
    let field = fields.iter().find(|(limit, _)| limit.field() == *name);
    let Some((_, field)) = field else {
        return error.into();
    };
    let [found, least, most] = [found, least, most].map(|value| Said::of_library(value));
    let message = said!(
        "`{}` is {}; from {} to {} is expected",
        *field,
        found,
        least,
        most
    );
    ApiError {
        message,
        ..ApiError::from(error)
    }
    .at(*field)
}
