//! The audit log's part of a service: a row for each decision, and no work for a request whose row has no place.

use std::sync::Arc;

use ampoule::Timestamp;
use ampoule_access::{KeyChanges, KeyName};
use ampoule_audit::{Audit, AuditState, Event, Row, RowPermit, Who};

use crate::error::ApiError;
use crate::protection::audit_row;
use crate::request::ended::Ended;

/// Requests that have a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recorded {
    /// All but those to public routes, about which nothing is decided.
    #[default]
    All,
    /// Those that were not let in.
    Denied,
}

/// The audit log of a service.
#[derive(Clone, Debug)]
pub(crate) struct AuditLog {
    audit: Arc<Audit>,
    recorded: Recorded,
}

impl AuditLog {
    pub(super) fn new(audit: Arc<Audit>, recorded: Recorded) -> Self {
        Self { audit, recorded }
    }

    /// Takes room for a request's row.
    ///
    /// # Errors
    ///
    /// `audit.unavailable`.
    pub(crate) fn reserve(&self) -> Result<RowPermit, ApiError> {
        self.audit
            .reserve()
            .map_err(|_| ApiError::audit_unavailable())
    }

    /// Refuses work while no row of it could be written.
    ///
    /// # Errors
    ///
    /// `audit.unavailable`.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if self.audit.is_refusing() {
            return Err(ApiError::audit_unavailable());
        }
        Ok(())
    }

    pub(crate) fn state(&self) -> AuditState {
        self.audit.state()
    }

    /// Hands over the row of a request that is over. A request that came to no gate has no permit, and nothing was done
    /// for it.
    pub(crate) fn end(&self, ended: &Ended<'_>, permit: Option<RowPermit>) {
        let is_left_out = match self.recorded {
            Recorded::All => false,
            Recorded::Denied => ended.notes.is_let_in,
        };
        if ended.notes.is_unrecorded || is_left_out {
            return;
        }
        let row = audit_row::of(ended);
        match permit {
            Some(permit) => permit.send(row),
            None => self.audit.record(row),
        }
    }

    /// Records keys that are accepted from now on, or no longer.
    pub(crate) fn keys_changed(&self, changes: &KeyChanges) {
        let begun = changes.begun.iter().map(|name| (name, "accepted"));
        let ended = changes.ended.iter().map(|name| (name, "ended"));
        for (name, reason) in begun.chain(ended) {
            self.audit.record(key_row(*name, reason));
        }
    }
}

fn key_row(name: KeyName, reason: &str) -> Row {
    let mut row = Row::new(Event::Key, Timestamp::now());
    row.who = Some(Who {
        kind: Some("key".into()),
        name: Some(name.to_string().into()),
        ..Who::default()
    });
    row.reason = Some(reason.into());
    row
}
