//! Warnings about entries that cannot be used, at most one a minute: whoever may change files could fill the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two warnings.
const PAUSE: Duration = Duration::from_secs(60);

/// The last warning, and the faults since.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    told: Mutex<Option<Told>>,
}

#[derive(Debug)]
struct Told {
    at: Instant,
    since: u64,
}

impl Warnings {
    /// Warns of a fault, or counts it for the next warning.
    pub(crate) fn warn(&self, reason: &str) {
        if let Some(before) = self.turn(Instant::now()) {
            tracing::warn!(
                target: "ampoule::answers",
                code = "answers.unreadable", reason, before,
                "an entry of the cache of answers cannot be used; it is removed, and its request is answered by the model"
            );
        }
    }

    /// Returns the number of faults that were not told of, if it is time to tell of this one.
    fn turn(&self, now: Instant) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *told {
            Some(Told { at, since }) if now.saturating_duration_since(*at) < PAUSE => {
                *since += 1;
                None
            }
            _ => {
                let before = told.replace(Told { at: now, since: 0 });
                Some(before.map_or(0, |told| told.since))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_one_warning_which_counts_those_before() {
        let warnings = Warnings::default();
        let begun = Instant::now();
        assert_eq!(warnings.turn(begun), Some(0));
        for second in 1..60 {
            let now = begun + Duration::from_secs(second);
            assert_eq!(warnings.turn(now), None);
        }
        assert_eq!(warnings.turn(begun + PAUSE), Some(59));
        assert_eq!(warnings.turn(begun + PAUSE), None);
    }
}
