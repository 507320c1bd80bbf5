//! Name, version and end of the signed root that a store came from.

use jiff::Timestamp;

use crate::values::error::{Error, Result};
use crate::values::trust_error::TrustError;

/// Which signed root a [`TrustStore`](crate::TrustStore) came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootInfo {
    /// Which fleet's it is.
    pub name: String,
    /// The root's version.
    pub version: u64,
    /// The last moment at which anything that it says is believed.
    pub expires: Timestamp,
}

impl RootInfo {
    /// Returns true if the root has expired at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires < now
    }

    /// Refuses a root whose time is over: somebody may be keeping the next one from us.
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
