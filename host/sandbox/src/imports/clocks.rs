//! The clocks that guests see, coarse against timing attacks.

use std::time::{Duration, Instant, SystemTime};

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

use crate::error::{Error, Result};
use crate::limits::{DEFAULT_CLOCK_RESOLUTION, MAX_CLOCK_RESOLUTION, MIN_CLOCK_RESOLUTION};

/// The resolution that guests' clocks are rounded down to: from [`MIN_CLOCK_RESOLUTION`] to [`MAX_CLOCK_RESOLUTION`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockResolution(Duration);

impl Default for ClockResolution {
    fn default() -> Self {
        Self(DEFAULT_CLOCK_RESOLUTION)
    }
}

impl ClockResolution {
    /// Takes a resolution within the bounds.
    ///
    /// # Errors
    ///
    /// `usage.limits` for any other.
    pub fn new(resolution: Duration) -> Result<Self> {
        if (MIN_CLOCK_RESOLUTION..=MAX_CLOCK_RESOLUTION).contains(&resolution) {
            Ok(Self(resolution))
        } else {
            Err(Error::ClockResolution { found: resolution })
        }
    }

    fn round_down(self, time: Duration) -> u64 {
        let resolution = nanos(self.0);
        nanos(time) / resolution * resolution
    }
}

/// A clock of the time since the sandbox was made.
#[derive(Debug)]
pub struct CoarseMonotonicClock {
    start: Instant,
    resolution: ClockResolution,
}

impl CoarseMonotonicClock {
    /// Starts a clock at zero.
    #[must_use]
    pub fn new(resolution: ClockResolution) -> Self {
        Self {
            start: Instant::now(),
            resolution,
        }
    }
}

impl HostMonotonicClock for CoarseMonotonicClock {
    fn resolution(&self) -> u64 {
        nanos(self.resolution.0)
    }

    fn now(&self) -> u64 {
        self.resolution.round_down(self.start.elapsed())
    }
}

/// Wall clock, rounded down to the host's resolution.
#[derive(Debug)]
pub struct CoarseWallClock(pub ClockResolution);

impl HostWallClock for CoarseWallClock {
    fn resolution(&self) -> Duration {
        self.0.0
    }

    fn now(&self) -> Duration {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Duration::from_nanos(self.0.round_down(now))
    }
}

/// A clock that stands still, for sandboxes that must not differ. The date is the beginning of 2026.
#[derive(Debug)]
pub struct StoppedClock;

/// Seconds from 1970 to 2026, in UTC.
const STOPPED_AT: Duration = Duration::from_secs(1_767_225_600);

impl HostMonotonicClock for StoppedClock {
    fn resolution(&self) -> u64 {
        nanos(DEFAULT_CLOCK_RESOLUTION)
    }

    fn now(&self) -> u64 {
        0
    }
}

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        DEFAULT_CLOCK_RESOLUTION
    }

    fn now(&self) -> Duration {
        STOPPED_AT
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_rounded_down_to_their_resolution_and_say_so() {
        for resolution in [1_u64, 1_000, 7_000, 1_000_000].map(Duration::from_micros) {
            let clock = ClockResolution::new(resolution).unwrap();
            let monotonic = CoarseMonotonicClock::new(clock);
            let wall = CoarseWallClock(clock);
            assert_eq!(monotonic.resolution(), nanos(resolution));
            assert_eq!(wall.resolution(), resolution);
            for now in [monotonic.now(), nanos(wall.now())] {
                assert_eq!(now % nanos(resolution), 0, "{resolution:?}: {now}");
            }
            assert_eq!(
                clock.round_down(resolution * 3 - Duration::from_nanos(1)),
                nanos(resolution) * 2
            );
        }
    }

    #[test]
    fn a_resolution_out_of_bounds_is_refused() {
        for resolution in [
            Duration::ZERO,
            Duration::from_nanos(999),
            Duration::from_millis(1_001),
            Duration::MAX,
        ] {
            let error = ClockResolution::new(resolution).unwrap_err();
            assert_eq!(error.code(), "usage.limits");
        }
    }
}
