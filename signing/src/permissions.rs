//! Who else may change or read what a decision rests on.

use crate::error::{Error, Result};
use crate::trust::TrustError;

/// What may stand in somebody else's power, from the loosest rule to the strictest.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// Not writable by everybody: bundles, which are often installed for a group.
    NotWorldWritable,
    /// Writable by its owner only: the trust store, where one write makes a stranger trusted.
    OwnerWrites,
    /// Readable by its owner only: private keys and passwords.
    OwnerReads,
}

impl Rule {
    /// Refuses with `trust.permissions` when the permission bits allow more than the rule.
    pub(crate) fn check(self, mode: u32, what: impl FnOnce() -> String) -> Result<()> {
        let mode = mode & 0o7777;
        let (forbidden, who, fix) = match self {
            Self::NotWorldWritable => (0o002, "everybody change it", "o-w"),
            Self::OwnerWrites => (0o022, "others than its owner change it", "go-w"),
            Self::OwnerReads => (0o077, "others than its owner use it", "go-rwx"),
        };
        if mode & forbidden == 0 {
            return Ok(());
        }
        Err(Error::Trust(TrustError::Permissions {
            what: what(),
            mode,
            who,
            fix,
        }))
    }
}
