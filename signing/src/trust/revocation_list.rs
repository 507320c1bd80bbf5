//! A signed list of keys, manifests and components that are trusted no more, although their signatures are valid.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::trust::signed::{Document, Signed, sealed};
use crate::values::document_kind::DocumentKind;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;
use crate::values::revoked::Revoked;
use crate::values::trust_error::TrustError;

/// The document's name in messages.
pub(crate) const DOCUMENT: &str = "the revocation list";

/// A revocation list that obeys all the rules of its format.
///
/// Invariant: the newest list is complete; things that it does not name are not revoked. Its signatures are another
/// matter, see [`TrustStore::accept_revocations`](crate::TrustStore::accept_revocations).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) expires: Timestamp,
    /// Each with the reason that people gave, if they gave one.
    pub(crate) revoked: BTreeMap<Revoked, Option<String>>,
}

/// A revocation list in its envelope. Unverified: nothing in it may be acted on.
pub type SignedRevocations = Signed<RevocationList>;

impl RevocationList {
    /// Makes a first list, of version 1, that revokes nothing. `name` is the name of the hosts' root, or the one in
    /// their `trust.toml`.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for a name that none can have.
    pub fn new(name: &str, expires: Timestamp) -> Result<Self> {
        Self {
            name: name.to_owned(),
            version: 1,
            expires,
            revoked: BTreeMap::new(),
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

    /// Revokes one thing more, or changes the reason of a revoked one. A reason is one line of up to 200 printable
    /// ASCII characters.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for another reason, and when the list becomes too long.
    pub fn with(mut self, what: Revoked, reason: Option<String>) -> Result<Self> {
        self.revoked.insert(what, reason);
        self.checked()
    }

    /// Takes something off the list.
    ///
    /// # Errors
    ///
    /// `trust.malformed` when the list does not name it.
    pub fn without(mut self, what: &Revoked) -> Result<Self> {
        if self.revoked.remove(what).is_none() {
            return Err(Error::Trust(TrustError::Malformed {
                document: DOCUMENT,
                reason: format!("the list does not name {what}"),
            }));
        }
        self.checked()
    }

    /// Checks the rules of the format, which only the parser has.
    fn checked(self) -> Result<Self> {
        Self::parse(self.to_json()?.as_bytes())
    }

    /// The name of the hosts that the list is for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version: a host takes only lists of higher ones.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The last moment at which a host that insists on a fresh list is content with this one.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Returns true if the list has expired at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires < now
    }

    /// The revoked things, each with its reason if there is one: keys, then manifests, then components.
    pub fn entries(&self) -> impl Iterator<Item = (Revoked, Option<&str>)> {
        (self.revoked.iter()).map(|(what, reason)| (*what, reason.as_deref()))
    }

    /// Returns true for something that is revoked.
    #[must_use]
    pub fn contains(&self, what: &Revoked) -> bool {
        self.revoked.contains_key(what)
    }

    /// Returns true if the list names a component. Only then does anybody need to know a component's digest.
    pub(crate) fn has_components(&self) -> bool {
        matches!(self.revoked.keys().next_back(), Some(Revoked::Component(_)))
    }

    /// Refuses things that the list names, with `trust.revoked`.
    pub(crate) fn check(&self, what: Revoked) -> Result<()> {
        match self.revoked.get(&what) {
            None => Ok(()),
            Some(reason) => Err(Error::Trust(TrustError::Revoked {
                what,
                reason: reason.clone(),
            })),
        }
    }
}

impl sealed::Sealed for RevocationList {}

impl Document for RevocationList {
    const KIND: DocumentKind = DocumentKind::Revocations;

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

    /// Takes any key: the list does not know whose signatures count for a host.
    fn check_signer(&self, _: &KeyId) -> Result<()> {
        Ok(())
    }
}
