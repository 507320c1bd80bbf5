//! State of a followed model: the model that serves, and the refusal of what lies in its place.

use std::sync::Arc;

use ampoule_sandbox::Error;
use ampoule_signing::Sha256Digest;

use crate::model::Model;

/// A followed model, as those who hold it see it.
pub(crate) struct Serving {
    pub(crate) model: Model,
    pub(crate) refusal: Option<Refusal>,
}

/// Reason for which the candidate in a followed model's place does not serve.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    error: Arc<Error>,
    manifest: Option<Sha256Digest>,
}

impl Refusal {
    pub(crate) fn new(error: Error, manifest: Option<Sha256Digest>) -> Self {
        Self {
            error: Arc::new(error),
            manifest,
        }
    }

    /// Returns the stable code of [`Refusal::error`].
    #[must_use]
    pub fn code(&self) -> &str {
        self.error.code()
    }

    /// Returns the error that loading the candidate failed with.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Returns the digest of the manifest in the candidate's envelope, whoever signed that; `None` when there is no
    /// envelope that can be read.
    #[must_use]
    pub fn manifest_digest(&self) -> Option<Sha256Digest> {
        self.manifest
    }
}
