//! The system's limit of descriptors, below which the number of connections stays.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors for everything that is no connection: bundles, the code cache, trust, logs, and processes that compile.
const OTHERS: u64 = 256;

/// Returns the number of connections that may be open: `asked`, or fewer where the system allows no more. Raises the
/// process's own limit of descriptors first, as far as needed and allowed.
pub(super) fn connections_within(asked: usize) -> usize {
    let needed = OTHERS.saturating_add(asked as u64);
    let mut limit = getrlimit(Resource::Nofile);
    let is_too_low = limit.current.is_some_and(|current| current < needed);
    if is_too_low {
        let mut raised = limit;
        raised.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    let Some(current) = limit.current else {
        return asked;
    };
    // Where even the others do not fit, half is left to them.
    let room = current.saturating_sub(OTHERS).max(current / 2).max(1);
    let allowed = usize::try_from(room).unwrap_or(usize::MAX).min(asked);
    if allowed < asked {
        tracing::warn!(
            target: "ampoule::server", asked, allowed,
            "the limit of descriptors allows fewer connections; raise it (ulimit -n, LimitNOFILE=)"
        );
    }
    allowed
}
