//! Whether a bundle's release may be run after those that were, and remembering that it was.

use ampoule_sandbox::Result;
use ampoule_signing::{ReleaseState, SeenRelease, TrustError, VerifiedManifest};

use crate::load_options::RollbackProtection;
use crate::refusal::OrRefused as _;

/// What a bundle's release is held against.
#[derive(Clone, Debug)]
pub struct ReleaseRule {
    /// What becomes of the host's memory of releases.
    pub rollback: RollbackProtection,
    /// The release that the bundle is to take over from.
    pub serving: Option<SeenRelease>,
}

impl ReleaseRule {
    /// Refuses a release that is not the newest. `releases` is the host's memory, if it has one. Returns whether
    /// it knows this very bundle as the newest.
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
