//! Whose revocation lists a store obeys, and what it does without a fresh one.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::document_kind::DocumentKind;
use ampoule_units::ParseError;

use crate::error::{Error, Result};
use crate::names::check_identity;
use crate::signers::valid_signers;
use crate::trust::error::TrustError;
use crate::trust::revocation_list::{DOCUMENT, RevocationList, SignedRevocations};
use crate::trust::role::Role;
use crate::trust::store::TrustStore;

/// Who signs the revocation lists that a store obeys: a name that the lists bear, and keys of which
/// enough have to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationAuthority {
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// What is done without a fresh revocation list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevocationMode {
    /// What the last list named stays revoked, however old that list is; without any, nothing is.
    #[default]
    Permissive,
    /// Nothing is trusted: who can keep new lists from a host could otherwise keep alive what they
    /// revoke.
    Strict,
}

/// What a store knows of revocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RevocationPolicy {
    pub(crate) authority: Option<RevocationAuthority>,
    pub(crate) mode: RevocationMode,
    pub(crate) list: Option<RevocationList>,
}

impl RevocationAuthority {
    /// An authority of this name.
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

    /// The name that its lists bear.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who signs them.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The list, if it is this authority's. Its age is not looked at.
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
    /// The list, if it comes from those who may sign one.
    pub(crate) fn verify(&self, signed: &SignedRevocations) -> Result<RevocationList> {
        self.authority
            .as_ref()
            .ok_or(Error::Trust(TrustError::RevocationsAuthority))?
            .verify(signed)
    }

    /// Takes a list in place of an older one.
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

    /// Refuses to decide anything when a fresh list is needed and there is none.
    pub(crate) fn check_fresh(&self, now: Timestamp) -> Result<()> {
        if self.mode == RevocationMode::Permissive {
            return Ok(());
        }
        match &self.list {
            None => Err(Error::Trust(TrustError::RevocationsMissing)),
            Some(list) => check_list_fresh(list, now),
        }
    }

    /// Until when [`RevocationPolicy::check_fresh`] will say the same, if not for ever.
    pub(crate) fn fresh_until(&self) -> Option<Timestamp> {
        match self.mode {
            RevocationMode::Permissive => None,
            RevocationMode::Strict => self.list.as_ref().map(RevocationList::expires),
        }
    }
}

impl TrustStore {
    /// Who signs the revocation lists that this store obeys. Without anybody it obeys none.
    #[must_use]
    pub fn revocation_authority(&self) -> Option<&RevocationAuthority> {
        self.revocation.authority.as_ref()
    }

    /// Says who signs the revocation lists that this store obeys. A list of somebody else's is forgotten.
    pub fn set_revocation_authority(&mut self, authority: Option<RevocationAuthority>) {
        if self.revocation.authority != authority {
            self.revocation.authority = authority;
            self.revocation.list = None;
        }
    }

    /// What is done without a fresh revocation list.
    #[must_use]
    pub fn revocation_mode(&self) -> RevocationMode {
        self.revocation.mode
    }

    /// Says what is done without a fresh revocation list.
    pub fn set_revocation_mode(&mut self, mode: RevocationMode) {
        self.revocation.mode = mode;
    }

    /// The newest revocation list that was accepted.
    #[must_use]
    pub fn revocations(&self) -> Option<&RevocationList> {
        self.revocation.list.as_ref()
    }

    /// Obeys a revocation list from now on, in place of an older one. Whether it has expired is not
    /// looked at: what it revokes is revoked.
    ///
    /// # Errors
    ///
    /// `trust.revocations-authority` when nobody may sign one for this store; `signature.missing`,
    /// `signature.invalid`, `trust.unknown-key`, `trust.threshold` for its signatures;
    /// `trust.malformed`; `trust.revocations-name` for one of another name;
    /// `trust.revocations-rollback` for one that is not newer. The store is then as it was.
    pub fn accept_revocations(&mut self, signed: &SignedRevocations) -> Result<()> {
        self.revocation.accept(signed)
    }
}

/// Refuses a list whose time is over: somebody may be keeping the next one from us.
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
