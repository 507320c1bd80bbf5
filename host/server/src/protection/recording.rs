//! A service that records its decisions.

use std::sync::Arc;

use ampoule_audit::Audit;

use crate::protection::audit::{AuditLog, Recorded};
use crate::protection::settings::Protection;

impl Protection {
    /// Records decisions in this audit log, and lets no request in whose row has no place there. Keys that begin and end
    /// from now on have rows, too.
    #[must_use]
    pub fn with_audit(mut self, audit: Arc<Audit>, recorded: Recorded) -> Self {
        let log = AuditLog::new(audit, recorded);
        if let Some(keys) = &self.keys {
            let log = log.clone();
            keys.on_change(move |changes| log.keys_changed(changes));
        }
        self.audit = Some(log);
        self
    }

    /// Returns the audit log, if there is one.
    pub(crate) fn audit(&self) -> Option<&AuditLog> {
        self.audit.as_ref()
    }
}
