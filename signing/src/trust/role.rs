//! A role: the keys that may sign one kind of document, and how many of them it takes.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::error::{Error, Result};
use crate::key::{KeyId, PublicKey};
use crate::trust::delegation::check_threshold;
use crate::trust::error::TrustError;
use crate::trust::root::DOCUMENT;

/// Keys, and how many of them have to sign (TUF 1.0, section 4.3: `keyids` and `threshold`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub(crate) threshold: NonZeroU32,
    pub(crate) keys: BTreeMap<KeyId, PublicKey>,
}

impl Role {
    /// A role of these keys.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for a key given twice, and a threshold above the number of keys.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>, threshold: NonZeroU32) -> Result<Self> {
        let mut role = Self {
            threshold,
            keys: BTreeMap::new(),
        };
        for key in keys {
            role.insert(key)?;
        }
        role.check("the role")?;
        Ok(role)
    }

    pub(crate) fn insert(&mut self, key: PublicKey) -> Result<()> {
        let id = key.key_id();
        if self.keys.insert(id, key).is_some() {
            return Err(refused(format!("the key {id} stands twice in one role")));
        }
        Ok(())
    }

    /// Refuses a role that nobody could ever fulfil; `name` says which it is.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        check_threshold(self.threshold, self.keys.len())
            .map_err(|reason| refused(format!("{name}: {reason}")))
    }

    /// How many different keys have to sign.
    #[must_use]
    pub fn threshold(&self) -> NonZeroU32 {
        self.threshold
    }

    /// The keys that may, sorted by id.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.values()
    }
}

fn refused(reason: String) -> Error {
    Error::Trust(TrustError::Malformed {
        document: DOCUMENT,
        reason,
    })
}
