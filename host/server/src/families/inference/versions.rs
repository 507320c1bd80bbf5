//! Versions of models.

use crate::error::ApiError;

/// The version that names the release which is served at the moment, for clients that count versions from 1.
pub(crate) const CURRENT: &str = "1";

/// Refuses a version of a model that is not the served one. A server has one version of a model at a time: that of the
/// signed manifest.
pub(crate) fn check(asked: Option<&str>, served: &str) -> Result<(), ApiError> {
    match asked {
        None | Some(CURRENT) => Ok(()),
        Some(asked) if asked == served => Ok(()),
        Some(_) => Err(ApiError::unknown_version(served)),
    }
}
