//! Rollback protection: the check of a bundle's release against those that were run before.

use ampoule_sandbox::Result;
use ampoule_signing::{ReleaseState, SeenRelease, TrustError, VerifiedManifest};

use crate::load_options::RollbackProtection;
use crate::refusal::OrRefused as _;

/// Releases that a bundle may not fall behind.
#[derive(Clone, Debug)]
pub struct ReleaseRule {
    /// Use of the host's record of releases.
    pub rollback: RollbackProtection,
    /// The release that is served now, which the bundle is to replace.
    pub serving: Option<SeenRelease>,
}

impl ReleaseRule {
    /// Refuses a release that is older than the newest. `releases` is the host's record, if it has one. Returns true
    /// when the record has this very bundle as the newest.
    pub(crate) fn check(
        &self,
        releases: Option<&ReleaseState>,
        verified: &VerifiedManifest,
    ) -> Result<bool> {
        let (manifest, digest) = (verified.manifest(), verified.digest());
        let follows = match &self.serving {
            Some(serving) => serving.may_be_followed_by(manifest, digest),
            None => Ok(()),
        };
        let releases = releases.filter(|_| self.rollback != RollbackProtection::Off);
        let checked = follows.and_then(|()| match releases {
            Some(releases) => releases.check(manifest, digest),
            None => Ok(false),
        });
        match checked {
            Err(
                error @ ampoule_signing::Error::Trust(
                    TrustError::Rollback { .. }
                    | TrustError::ReleaseReused { .. }
                    | TrustError::ReleasesFull { .. },
                ),
            ) if self.rollback == RollbackProtection::AllowDowngrade => {
                tracing::warn!(
                    target: "ampoule::rollback",
                    code = error.code(), %error,
                    "the release is run all the same, as asked for"
                );
                Ok(false)
            }
            checked => checked.or_refused(),
        }
    }
}
