//! The clocks that guests see: coarse, because a fine clock is what timing attacks are made with.

use std::time::{Duration, Instant, SystemTime};

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// What guests' clocks are rounded down to.
pub(crate) const RESOLUTION: Duration = Duration::from_millis(1);

/// Time since the sandbox was made.
pub(crate) struct CoarseMonotonicClock {
    start: Instant,
}

impl CoarseMonotonicClock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl HostMonotonicClock for CoarseMonotonicClock {
    fn resolution(&self) -> u64 {
        nanos(RESOLUTION)
    }

    fn now(&self) -> u64 {
        coarse(self.start.elapsed())
    }
}

/// The date.
pub(crate) struct CoarseWallClock;

impl HostWallClock for CoarseWallClock {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Duration::from_nanos(coarse(now))
    }
}

/// A clock that stands still, for sandboxes that must not differ. The date is the beginning of 2026.
pub(crate) struct StoppedClock;

/// Seconds from 1970 to 2026, in UTC.
const STOPPED_AT: Duration = Duration::from_secs(1_767_225_600);

impl HostMonotonicClock for StoppedClock {
    fn resolution(&self) -> u64 {
        nanos(RESOLUTION)
    }

    fn now(&self) -> u64 {
        0
    }
}

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        STOPPED_AT
    }
}

fn coarse(time: Duration) -> u64 {
    let resolution = nanos(RESOLUTION);
    nanos(time) / resolution * resolution
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
