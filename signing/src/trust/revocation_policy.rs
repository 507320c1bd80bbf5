//! The signers of the revocation lists that a store obeys, and its behaviour without a fresh list.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::values::document_kind::DocumentKind;
use ampoule_units::ParseError;

use crate::bundle::names::check_identity;
use crate::trust::revocation_list::{DOCUMENT, RevocationList, SignedRevocations};
use crate::trust::role::Role;
use crate::trust::signers::valid_signers;
use crate::values::error::{Error, Result};
use crate::values::revoked::Revoked;
use crate::values::trust_error::TrustError;

/// The signers of the revocation lists that a store obeys: a name that the lists bear, and keys of which enough have
/// to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationAuthority {
    name: String,
    role: Role,
}

/// Behaviour without a fresh revocation list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevocationMode {
    /// The last list goes on to hold, however old it is. Without any list, nothing is revoked.
    #[default]
    Permissive,
    /// Nothing is trusted. Otherwise somebody who keeps new lists from a host could keep a revoked key alive.
    Strict,
}

/// A store's rules about revocation, and the newest list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RevocationPolicy {
    authority: Option<RevocationAuthority>,
    mode: RevocationMode,
    list: Option<RevocationList>,
}

impl RevocationAuthority {
    /// Makes an authority of this name.
    ///
    /// # Errors
    ///
    /// `trust.malformed` for a name that none can have.
    pub fn new(name: &str, role: Role) -> Result<Self> {
        check_identity(name).map_err(|reason| {
            Error::Trust(TrustError::Malformed {
                document: DOCUMENT,
                reason,
            })
        })?;
        Ok(Self {
            name: name.to_owned(),
            role,
        })
    }

    /// Makes an authority of a document's fields, whose reader has checked the name.
    pub(crate) fn of_document(name: String, role: Role) -> Self {
        Self { name, role }
    }

    /// The name that the lists bear.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The keys that sign them.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Returns the list if this authority signed it. Its age is not checked.
    fn verify(&self, signed: &SignedRevocations) -> Result<RevocationList> {
        let signers = valid_signers(signed.envelope(), |id| self.role.keys.get(id))?;
        self.role
            .check_signers(&signers, DocumentKind::Revocations, DOCUMENT)?;
        let list = signed.unverified()?;
        if list.name != self.name {
            return Err(Error::Trust(TrustError::RevocationsName {
                expected: self.name.clone(),
                found: list.name,
            }));
        }
        Ok(list)
    }
}

impl RevocationPolicy {
    /// A policy that has seen no list yet.
    pub(crate) fn new(authority: Option<RevocationAuthority>, mode: RevocationMode) -> Self {
        Self {
            authority,
            mode,
            list: None,
        }
    }

    pub(crate) fn authority(&self) -> Option<&RevocationAuthority> {
        self.authority.as_ref()
    }

    /// Obeys another authority from now on. A list of somebody else's is forgotten.
    pub(crate) fn set_authority(&mut self, authority: Option<RevocationAuthority>) {
        if self.authority != authority {
            self.authority = authority;
            self.list = None;
        }
    }

    pub(crate) fn mode(&self) -> RevocationMode {
        self.mode
    }

    pub(crate) fn set_mode(&mut self, mode: RevocationMode) {
        self.mode = mode;
    }

    /// Returns the newest list that was accepted.
    pub(crate) fn list(&self) -> Option<&RevocationList> {
        self.list.as_ref()
    }

    /// Refuses what the list names, with `trust.revoked`.
    pub(crate) fn check(&self, what: Revoked) -> Result<()> {
        match &self.list {
            Some(list) => list.check(what),
            None => Ok(()),
        }
    }

    /// Tells whether the list names any component.
    pub(crate) fn revokes_components(&self) -> bool {
        let list = self.list.as_ref();
        list.is_some_and(RevocationList::has_components)
    }

    /// Returns the list if its signatures count.
    pub(crate) fn verify(&self, signed: &SignedRevocations) -> Result<RevocationList> {
        self.authority
            .as_ref()
            .ok_or(Error::Trust(TrustError::RevocationsAuthority))?
            .verify(signed)
    }

    /// Replaces the list by a newer one.
    pub(crate) fn accept(&mut self, signed: &SignedRevocations) -> Result<()> {
        let list = self.verify(signed)?;
        if let Some(installed) = &self.list {
            let is_same = *installed == list;
            if !is_same && list.version <= installed.version {
                return Err(Error::Trust(TrustError::RevocationsRollback {
                    installed: installed.version,
                    found: list.version,
                }));
            }
        }
        self.list = Some(list);
        Ok(())
    }

    /// Refuses to decide without a fresh list, where the mode asks for one.
    pub(crate) fn check_fresh(&self, now: Timestamp) -> Result<()> {
        if self.mode == RevocationMode::Permissive {
            return Ok(());
        }
        match &self.list {
            None => Err(Error::Trust(TrustError::RevocationsMissing)),
            Some(list) => check_list_fresh(list, now),
        }
    }

    /// Returns the end of the time in which [`RevocationPolicy::check_fresh`] answers the same; `None` means for
    /// ever.
    pub(crate) fn fresh_until(&self) -> Option<Timestamp> {
        match self.mode {
            RevocationMode::Permissive => None,
            RevocationMode::Strict => self.list.as_ref().map(RevocationList::expires),
        }
    }
}

/// Refuses a list that has expired: somebody may be keeping the next one from this host.
pub(crate) fn check_list_fresh(list: &RevocationList, now: Timestamp) -> Result<()> {
    if !list.is_expired(now) {
        return Ok(());
    }
    Err(Error::Trust(TrustError::RevocationsExpired {
        version: list.version,
        expires: list.expires,
        now,
    }))
}

impl FromStr for RevocationMode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "permissive" => Ok(Self::Permissive),
            "strict" => Ok(Self::Strict),
            _ => Err(ParseError("expected `strict` or `permissive`".to_owned())),
        }
    }
}

impl fmt::Display for RevocationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permissive => "permissive",
            Self::Strict => "strict",
        })
    }
}
