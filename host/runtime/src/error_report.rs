//! An error as a service passes it on.

use ampoule_sandbox::{Error, ErrorKind};

/// Plain data of an [`Error`], for a service's own format: an [`Error`] itself is not serializable.
///
/// The message is written for the caller: it shows no path outside the bundle, no address and no key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ErrorReport {
    /// The stable code, such as `limit.busy`.
    pub code: String,
    /// The family of the code.
    pub kind: ErrorKind,
    /// One sentence or two for a person.
    pub message: String,
    /// Set when the same request may succeed a little later.
    pub is_retryable: bool,
}

impl From<&Error> for ErrorReport {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code().to_owned(),
            kind: error.kind(),
            message: error.to_string(),
            is_retryable: error.is_retryable(),
        }
    }
}
