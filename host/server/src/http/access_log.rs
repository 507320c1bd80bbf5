//! The access log: a line a request, when its answer is over.
//!
//! A line holds facts and no words of the caller: no path and no query, no header but the id, no body, no name of a model
//! that is not served here, and no method that HTTP does not know.

use ampoule_access::{KeyName, PrincipalKind, SubjectHash};

use crate::request::ended::Ended;
use crate::request::method;
use crate::request::probe::is_probe;

/// Stands for a method that HTTP does not know, as in traces.
const OTHER: &str = "_OTHER";

/// Writes the line of a request. Probes are told at `debug` while they succeed: there is one every few seconds.
pub(crate) fn write(ended: &Ended<'_>) {
    let is_good = ended.status.is_some_and(|status| status.is_success());
    // The level of an event is fixed where the event stands.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "ampoule::access",
                id = ended.id,
                trace_id = ended.trace_id.as_deref(),
                peer = ended.peer.map(tracing::field::display),
                client = ended.forwarded_client().map(tracing::field::display),
                tls = ended.tls,
                method = ended.method.map(|known| method::known(known).unwrap_or(OTHER)),
                route = ended.route,
                family = ended.family.name(),
                status = ended.status.map(|status| status.as_u16()),
                outcome = ended.outcome.name(),
                bytes = ended.bytes,
                body_bytes = ended.notes.body_bytes,
                duration_ms = millis(ended.took),
                model = ended.notes.model.as_deref(),
                input_tokens = ended.answered(ended.notes.input_tokens),
                output_tokens = ended.answered(ended.notes.output_tokens),
                first_token_ms = ended.notes.first_token.map(millis),
                fuel = ended.sandboxed(ended.notes.fuel.get()),
                peak_memory_bytes = ended.sandboxed(ended.notes.peak_memory.bytes()),
                cache = ended.notes.cache(),
                key = ended.key().map(tracing::field::display),
                subject = ended.subject().map(tracing::field::display),
                tenant = ended.tenant(),
                denied = ended.notes.denied.map(ampoule_access::Reason::code),
                error = ended.notes.error.as_deref(),
                "answered"
            )
        };
    }
    if is_good && is_probe(ended.route) {
        line!(debug);
    } else {
        line!(info);
    }
}

impl Ended<'_> {
    /// Returns the name of the caller's key.
    fn key(&self) -> Option<KeyName> {
        match self.notes.caller.as_ref()?.kind() {
            PrincipalKind::Key(name) | PrincipalKind::Certificate(name) => Some(name),
            _ => None,
        }
    }

    /// Returns the name of a token's subject, from which the subject cannot be read.
    fn subject(&self) -> Option<SubjectHash> {
        match self.notes.caller.as_ref()?.kind() {
            PrincipalKind::Token(subject) => Some(subject),
            _ => None,
        }
    }

    fn tenant(&self) -> Option<&str> {
        let tenant = self.notes.caller.as_ref()?.tenant()?;
        Some(tenant.shared())
    }
}

/// Returns milliseconds to the microsecond.
fn millis(time: std::time::Duration) -> f64 {
    #[allow(
        clippy::cast_precision_loss,
        reason = "a request takes less than centuries"
    )]
    let micros = time.as_micros() as f64;
    micros / 1_000.0
}
