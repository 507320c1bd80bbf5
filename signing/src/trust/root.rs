//! The signed form of trust, for fleets: one document with the rules, signed by several people, and replaced only by
//! its successor.
//!
//! The rules of succession are those of TUF's root metadata (The Update Framework specification 1.0,
//! section 5.3): a root is signed by enough of its own keys; its successor has the next version and
//! is signed by enough of the old root's keys **and** of its own; which versions have expired matters
//! only for the last one, so that a host that was away for long can follow the whole chain.

use std::num::NonZeroU32;

use jiff::Timestamp;

use crate::keys::key::PublicKey;
use crate::trust::caps::Caps;
use crate::trust::delegation::Delegation;
use crate::trust::revocation_policy::{RevocationAuthority, RevocationMode, RevocationPolicy};
use crate::trust::role::Role;
use crate::trust::root_info::RootInfo;
use crate::trust::signed::{Document, Signed, sealed};
use crate::trust::signers::valid_signers;
use crate::trust::store::TrustStore;
use crate::values::document_kind::DocumentKind;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;
use crate::values::trust_error::TrustError;

/// The document's name in messages.
pub(crate) const DOCUMENT: &str = "the root";

/// A root that obeys all the rules of its format: the keys that sign its successor, and the rules about models.
///
/// Its signatures are another matter: see [`VerifiedRoot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) expires: Timestamp,
    pub(crate) own: Role,
    pub(crate) revocation: Option<Role>,
    pub(crate) revocation_mode: RevocationMode,
    pub(crate) caps: Caps,
    pub(crate) delegations: Vec<Delegation>,
}

impl Root {
    /// Makes a first root, of version 1, that trusts nobody yet. `name` is the fleet's: people may sign for several
    /// fleets, and no host follows another fleet's root.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for a name that none can have, a key given twice, and a threshold above the
    /// number of keys.
    pub fn new(
        name: &str,
        keys: impl IntoIterator<Item = PublicKey>,
        threshold: NonZeroU32,
        expires: Timestamp,
    ) -> Result<Self> {
        Self {
            name: name.to_owned(),
            version: 1,
            expires,
            own: Role::in_document(DOCUMENT, keys, threshold)?,
            revocation: None,
            revocation_mode: RevocationMode::default(),
            caps: Caps::default(),
            delegations: Vec::new(),
        }
        .checked()
    }

    /// Makes the next version, with another end.
    ///
    /// # Errors
    ///
    /// `trust.malformed` after the last version that the format holds.
    pub fn next(mut self, expires: Timestamp) -> Result<Self> {
        self.version += 1;
        self.expires = expires;
        self.checked()
    }

    /// Lets one more key sign the root.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for one that may already.
    pub fn with_key(mut self, key: PublicKey) -> Result<Self> {
        self.own.insert(key).map_err(refused)?;
        Ok(self)
    }

    /// Sets the number of different keys that have to sign the root.
    ///
    /// # Errors
    ///
    /// `trust.malformed` when there are not as many.
    pub fn with_threshold(mut self, threshold: NonZeroU32) -> Result<Self> {
        self.own.threshold = threshold;
        self.checked()
    }

    /// Sets the role that signs revocation lists. Without a role, the root's own keys do.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for a role that nobody could fulfil.
    pub fn with_revocation(mut self, role: Option<Role>) -> Result<Self> {
        self.revocation = role;
        self.checked()
    }

    /// Sets the behaviour of hosts without a fresh revocation list.
    #[must_use]
    pub fn with_revocation_mode(mut self, mode: RevocationMode) -> Self {
        self.revocation_mode = mode;
        self
    }

    /// Takes a key out of all roles and rules. As in a [`TrustStore`], nothing becomes easier to sign.
    ///
    /// # Errors
    ///
    /// `trust.malformed` when it is nowhere, or a threshold could not be reached without it.
    pub fn without_key(mut self, id: &KeyId) -> Result<Self> {
        let mut was_there = self.own.keys.remove(id).is_some();
        if let Some(role) = &mut self.revocation {
            was_there |= role.keys.remove(id).is_some();
        }
        let mut trust = self.trust()?;
        was_there |= trust.remove(id);
        if !was_there {
            return Err(refused(format!("the key {id} is not in it")));
        }
        self.delegations = trust.delegations().to_vec();
        self.checked()
    }

    /// Changes its delegations and caps, as those of a [`TrustStore`].
    ///
    /// # Errors
    ///
    /// Those of `change`, and `trust.malformed` when a threshold could not be reached.
    pub fn change_trust<T>(
        mut self,
        change: impl FnOnce(&mut TrustStore) -> Result<T>,
    ) -> Result<Self> {
        let mut trust = self.trust()?;
        change(&mut trust)?;
        self.caps = trust.caps().clone();
        self.delegations = trust.delegations().to_vec();
        self.checked()
    }

    /// Checks the rules of the format, which only the parser has.
    fn checked(self) -> Result<Self> {
        Self::parse(self.to_json()?.as_bytes())
    }

    /// Checks the rules that concern more than one field.
    pub(crate) fn check_whole(&self) -> Result<()> {
        self.own.check("its own keys").map_err(refused)?;
        if let Some(role) = &self.revocation {
            role.check("the keys for revocation").map_err(refused)?;
        }
        // In the operator's own file a removed key may leave too few for a while. A root is made by
        // people who meet for it: here it is a mistake.
        for delegation in &self.delegations {
            delegation.check_threshold().map_err(refused)?;
        }
        self.trust().map(drop)
    }

    /// The fleet's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version: each root's is one more than that of the root before it.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The last moment at which hosts believe the root.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The number of different keys that have to sign it, and its successor.
    #[must_use]
    pub fn threshold(&self) -> NonZeroU32 {
        self.own.threshold
    }

    /// The keys that may, sorted by id.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.own.keys()
    }

    /// The role that signs revocation lists, if not that of the root.
    #[must_use]
    pub fn revocation(&self) -> Option<&Role> {
        self.revocation.as_ref()
    }

    /// Behaviour of hosts without a fresh revocation list.
    #[must_use]
    pub fn revocation_mode(&self) -> RevocationMode {
        self.revocation_mode
    }

    /// Caps on all models on this fleet's hosts, whoever signed them.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The rules about models.
    #[must_use]
    pub fn delegations(&self) -> &[Delegation] {
        &self.delegations
    }

    pub(crate) fn info(&self) -> RootInfo {
        RootInfo {
            name: self.name.clone(),
            version: self.version,
            expires: self.expires,
        }
    }

    fn trust(&self) -> Result<TrustStore> {
        TrustStore::from_parts(
            self.delegations.clone(),
            self.caps.clone(),
            RevocationPolicy::new(
                Some(RevocationAuthority::of_document(
                    self.name.clone(),
                    self.revocation.as_ref().unwrap_or(&self.own).clone(),
                )),
                self.revocation_mode,
            ),
            Some(self.info()),
        )
    }
}

impl sealed::Sealed for Root {}

impl Document for Root {
    const KIND: DocumentKind = DocumentKind::Root;

    fn parse(bytes: &[u8]) -> Result<Self> {
        Self::parse(bytes)
    }

    fn to_json(&self) -> Result<String> {
        self.to_json()
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Refuses a key that is none of a first root's own. (A successor is also signed by keys of the root before,
    /// which it does not know.)
    fn check_signer(&self, id: &KeyId) -> Result<()> {
        if self.version > 1 || self.own.keys.contains_key(id) {
            return Ok(());
        }
        Err(refused(format!(
            "the key {id} is not one of the root's own keys, so its signature would not count"
        )))
    }
}

/// A root in its envelope. Unverified: nothing in it may be acted on.
pub type SignedRoot = Signed<Root>;

impl SignedRoot {
    /// Verifies the root by its own keys. Only the caller can know that it is the right one: it is a first root,
    /// which came by a trusted way, or it was verified when it was stored.
    ///
    /// # Errors
    ///
    /// `trust.malformed`, `signature.missing`, `signature.invalid`, `trust.unknown-key`,
    /// `trust.threshold`. Whether it has expired is not looked at, see [`VerifiedRoot::check_fresh`].
    pub fn verify_self_signed(self) -> Result<VerifiedRoot> {
        let root = self.unverified()?;
        let signers = valid_signers(self.envelope(), |id| root.own.keys.get(id))?;
        root.own.check_signers(&signers, Root::KIND, "the root")?;
        Ok(VerifiedRoot { signed: self, root })
    }
}

/// A root that enough of its keys have signed and, unless it is the first, enough of its predecessor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRoot {
    signed: SignedRoot,
    root: Root,
}

impl VerifiedRoot {
    /// The root.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The envelope of the root.
    #[must_use]
    pub fn signed(&self) -> &SignedRoot {
        &self.signed
    }

    /// Returns the store of the root's rules, which hold until the root expires.
    ///
    /// # Errors
    ///
    /// `trust.malformed`, which would be a bug: the root's reader has checked the rules.
    pub fn trust(&self) -> Result<TrustStore> {
        self.root.trust()
    }

    /// Verifies the successor.
    ///
    /// # Errors
    ///
    /// In this order: `signature.missing`, `signature.invalid`, `trust.unknown-key`, `trust.threshold` for the
    /// signatures by this root's keys, before the content is parsed; `trust.malformed`; `trust.root-name` for another
    /// fleet's root; `trust.root-rollback` or `trust.root-version` for any version but the next; the errors of the
    /// first group for the signatures by the new root's own keys.
    pub fn follow(&self, next: SignedRoot) -> Result<Self> {
        let signers = valid_signers(next.envelope(), |id| self.root.own.keys.get(id))?;
        let what = "the new root, by the keys of the installed one,";
        self.root.own.check_signers(&signers, Root::KIND, what)?;
        let root = next.unverified()?;
        if root.name != self.root.name {
            return Err(Error::Trust(TrustError::RootName {
                installed: self.root.name.clone(),
                found: root.name,
            }));
        }
        let (installed, found) = (self.root.version, root.version);
        if found <= installed {
            return Err(Error::Trust(TrustError::RootRollback { installed, found }));
        }
        if found != installed + 1 {
            return Err(Error::Trust(TrustError::RootVersion { installed, found }));
        }
        let signers = valid_signers(next.envelope(), |id| root.own.keys.get(id))?;
        root.own
            .check_signers(&signers, Root::KIND, "the new root, by its own keys,")?;
        Ok(Self { signed: next, root })
    }

    /// Returns `trust.root-rollback` for a root that claims to be no newer than this one. The claim is unverified,
    /// which is enough: such a root is only skipped.
    pub(crate) fn rollback_by(&self, other: &SignedRoot) -> Option<Error> {
        let found = other.unverified().ok()?.version;
        let installed = self.root.version;
        (found <= installed).then_some(Error::Trust(TrustError::RootRollback { installed, found }))
    }

    /// Refuses a root that has expired. Without this check, somebody who keeps the next root from a host could hold
    /// the host at the old one for ever.
    ///
    /// # Errors
    ///
    /// `trust.root-expired`.
    pub fn check_fresh(&self, now: Timestamp) -> Result<()> {
        self.root.info().check_fresh(now)
    }
}

fn refused(reason: impl Into<String>) -> Error {
    Error::Trust(TrustError::Malformed {
        document: DOCUMENT,
        reason: reason.into(),
    })
}
