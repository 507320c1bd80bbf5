//! The newest release of one model that a machine has run, and what may follow it.

use serde::Serialize;

use crate::bundle::manifest::Manifest;
use crate::values::digest::Sha256Digest;
use crate::values::error::{Error, Result};
use crate::values::trust_error::TrustError;

/// The newest release of a model that this machine has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SeenRelease {
    /// The release's number.
    pub release: u64,
    /// The digest of its manifest: one number is one bundle. `None` where an operator has gone back to
    /// the number ([`ReleaseState::forget`](crate::ReleaseState::forget)): any bundle of that release may be the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Sha256Digest>,
}

impl SeenRelease {
    /// Takes the release of this bundle.
    #[must_use]
    pub fn of(manifest: &Manifest, digest: Sha256Digest) -> Self {
        Self {
            release: manifest.release(),
            manifest: Some(digest),
        }
    }

    /// Refuses a bundle of the same model that may not come after this release. A newer release may, and this very
    /// bundle. The names are not compared.
    ///
    /// # Errors
    ///
    /// `trust.rollback` when it is older, `trust.release-reused` when it is another bundle of the same
    /// release.
    pub fn may_be_followed_by(&self, manifest: &Manifest, digest: Sha256Digest) -> Result<()> {
        let release = manifest.release();
        if release < self.release {
            return Err(Error::Trust(TrustError::Rollback {
                model: model_of(manifest),
                found: release,
                seen: self.release,
            }));
        }
        if release == self.release && self.manifest.is_some_and(|seen| seen != digest) {
            return Err(Error::Trust(TrustError::ReleaseReused {
                model: model_of(manifest),
                release,
            }));
        }
        Ok(())
    }
}

/// Returns the model's publisher and name: `acme/minilm`.
pub(crate) fn model_of(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.publisher(), manifest.name())
}
