//! One API key as a server knows it: everything but its secret.

use std::time::Duration;

use ampoule_signing::Timestamp;
use ampoule_units::{ParseError, text};

use crate::denial::Reason;
use crate::key_hash::KeyHash;
use crate::key_name::{KeyName, TenantName};
use crate::permission::Role;
use crate::principal::{Principal, PrincipalKind};
use crate::rates::Rates;
use crate::scope::Scope;

/// Characters of a note: a line.
const MAX_NOTE_CHARS: usize = 200;

/// Settings that whoever makes a key chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// Role.
    pub role: Role,
    /// Tenant whose limits and place in the queue the key shares.
    pub tenant: TenantName,
    /// Models and tasks that the key is for.
    pub scope: Scope,
    /// Limits of the key itself, before a server's defaults.
    pub rates: Rates,
    /// End of the key, if it has one.
    pub not_after: Option<Timestamp>,
    /// Remark for the operator.
    pub note: Option<String>,
}

impl KeySettings {
    /// Returns settings for a key without an end, without limits of its own, and for all models and tasks.
    #[must_use]
    pub fn new(role: Role, tenant: TenantName) -> Self {
        Self {
            role,
            tenant,
            scope: Scope::default(),
            rates: Rates::default(),
            not_after: None,
            note: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ParseError> {
        self.scope.check()?;
        self.rates.check()?;
        let Some(note) = &self.note else {
            return Ok(());
        };
        let is_line = note.chars().all(|c| c != '\n' && text::is_harmless(c));
        if is_line && note.chars().count() <= MAX_NOTE_CHARS {
            return Ok(());
        }
        let found = text::name(note);
        Err(ParseError(format!(
            "expected a note of one line and at most {MAX_NOTE_CHARS} characters, found {found:?}"
        )))
    }
}

/// One API key without its secret.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// Public name.
    pub name: KeyName,
    /// Settings.
    pub settings: KeySettings,
    /// Time at which the key was made.
    pub created: Timestamp,
    /// Time at which the key was revoked, if it was. A key that has such a time, even one to come, is not accepted.
    pub revoked: Option<Timestamp>,
    /// Key in whose place this one was made.
    pub replaces: Option<KeyName>,
    pub(crate) hash: KeyHash,
}

impl KeyRecord {
    /// Returns the reason why the key is not accepted at `now`; `None` for a live key.
    #[must_use]
    pub fn ended(&self, now: Timestamp) -> Option<Reason> {
        if self.revoked.is_some() {
            Some(Reason::Revoked)
        } else if self.settings.not_after.is_some_and(|end| now >= end) {
            Some(Reason::Expired)
        } else {
            None
        }
    }

    /// Returns the time at which the key ended or will end, if it has one.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        match (self.revoked, self.settings.not_after) {
            (Some(revoked), Some(end)) => Some(revoked.min(end)),
            (revoked, end) => revoked.or(end),
        }
    }

    /// Returns the time that the key was made for; `None` for one without an end.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        let end = self.settings.not_after?;
        Duration::try_from(end.duration_since(self.created)).ok()
    }

    pub(crate) fn principal(&self, kind: PrincipalKind) -> Principal {
        let settings = &self.settings;
        Principal::new(
            kind,
            settings.role,
            Some(settings.tenant.clone()),
            settings.scope.clone(),
            settings.rates,
        )
    }
}
