//! A role: the keys that may sign one kind of document, and the number of them that have to.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::keys::key::PublicKey;
use crate::trust::threshold::check_threshold;
use crate::values::document_kind::DocumentKind;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;
use crate::values::trust_error::TrustError;

/// Keys, and the number of them that have to sign (TUF 1.0, section 4.3: `keyids` and `threshold`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub(crate) threshold: NonZeroU32,
    pub(crate) keys: BTreeMap<KeyId, PublicKey>,
}

impl Role {
    /// Makes a role of these keys.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for a key given twice, and a threshold above the number of keys.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>, threshold: NonZeroU32) -> Result<Self> {
        Self::in_document("the role", keys, threshold)
    }

    /// Makes a role as [`Role::new`] does; `document` names in messages what the role is part of.
    pub(crate) fn in_document(
        document: &'static str,
        keys: impl IntoIterator<Item = PublicKey>,
        threshold: NonZeroU32,
    ) -> Result<Self> {
        let refused = |reason| Error::Trust(TrustError::Malformed { document, reason });
        let mut role = Self {
            threshold,
            keys: BTreeMap::new(),
        };
        for key in keys {
            role.insert(key).map_err(refused)?;
        }
        check_threshold(threshold, role.keys.len()).map_err(refused)?;
        Ok(role)
    }

    /// Adds a key. The error says why the key cannot be added.
    pub(crate) fn insert(&mut self, key: PublicKey) -> Result<(), String> {
        let id = key.key_id();
        match self.keys.insert(id, key) {
            None => Ok(()),
            Some(_) => Err(format!("the key {id} stands twice in one role")),
        }
    }

    /// Refuses a threshold that the keys cannot reach; `name` says which role it is.
    pub(crate) fn check(&self, name: &str) -> Result<(), String> {
        check_threshold(self.threshold, self.keys.len())
            .map_err(|reason| format!("{name}: {reason}"))
    }

    /// Refuses a document that too few of the keys have signed. `signers` are the keys with a valid signature; `what`
    /// names the document.
    pub(crate) fn check_signers(
        &self,
        signers: &[KeyId],
        document: DocumentKind,
        what: &str,
    ) -> Result<()> {
        let found: Vec<KeyId> = self
            .keys
            .keys()
            .filter(|id| signers.contains(id))
            .copied()
            .collect();
        if found.len() as u64 >= u64::from(self.threshold.get()) {
            return Ok(());
        }
        Err(Error::Trust(TrustError::Threshold {
            document,
            what: what.to_owned(),
            found,
            needed: self.threshold.get(),
            keys: self.keys.len(),
        }))
    }

    /// The number of different keys that have to sign.
    #[must_use]
    pub fn threshold(&self) -> NonZeroU32 {
        self.threshold
    }

    /// The keys that may, sorted by id.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.values()
    }
}
