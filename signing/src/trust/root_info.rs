//! Name, version and end of the signed root that a store came from.

use jiff::Timestamp;

use crate::values::error::{Error, Result};
use crate::values::trust_error::TrustError;

/// The signed root that a [`TrustStore`](crate::TrustStore) came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootInfo {
    /// The fleet's name.
    pub name: String,
    /// The root's version.
    pub version: u64,
    /// The last moment at which hosts believe the root.
    pub expires: Timestamp,
}

impl RootInfo {
    /// Returns true if the root has expired at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires < now
    }

    /// Refuses a root that has expired: somebody may be keeping the next one from this host.
    pub(crate) fn check_fresh(&self, now: Timestamp) -> Result<()> {
        if !self.is_expired(now) {
            return Ok(());
        }
        Err(Error::Trust(TrustError::RootExpired {
            name: self.name.clone(),
            version: self.version,
            expires: self.expires,
            now,
        }))
    }
}
