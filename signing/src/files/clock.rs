//! The time now, by the system's clock. A clock that cannot be right is an error.

use std::time::SystemTime;

use jiff::Timestamp;

use crate::values::error::{Error, Result};

/// The beginning of 2024, in seconds: nothing of this program is older. A machine without a battery for its
/// clock begins in 1970, and would believe every root and list that has expired since.
const EARLIEST: i64 = 1_704_067_200;

/// Returns the time by the system's clock.
///
/// # Errors
///
/// `io.clock` when the clock cannot be right: before 2024, or after the year 9999.
pub fn now() -> Result<Timestamp> {
    time_of(SystemTime::now())
}

fn time_of(clock: SystemTime) -> Result<Timestamp> {
    match Timestamp::try_from(clock) {
        Ok(now) if now.as_second() >= EARLIEST => Ok(now),
        Ok(early) => Err(Error::Clock {
            found: early.to_string(),
        }),
        Err(_) => {
            let is_late = clock > SystemTime::UNIX_EPOCH;
            let found = if is_late {
                "after the year 9999"
            } else {
                "long before 1970"
            };
            Err(Error::Clock {
                found: found.to_owned(),
            })
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_cannot_be_right_is_an_error_with_a_code_and_no_panic() {
        const YEAR: u64 = 31_556_952;
        let epoch = SystemTime::UNIX_EPOCH;
        let earliest = epoch + Duration::from_secs(EARLIEST.unsigned_abs());
        for off in [
            epoch,
            epoch - Duration::from_secs(1),
            epoch - Duration::from_secs(20_000 * YEAR),
            epoch - Duration::from_secs(i64::MAX.unsigned_abs()),
            earliest - Duration::from_nanos(1),
            epoch + Duration::from_secs(8_031 * YEAR),
            epoch + Duration::from_secs(100_000 * YEAR),
            epoch + Duration::from_secs(i64::MAX.unsigned_abs()),
        ] {
            let error = time_of(off).unwrap_err();
            assert_eq!(error.code(), "io.clock", "{off:?}");
        }
        for fine in [earliest, epoch + Duration::from_secs(8_000 * YEAR)] {
            time_of(fine).unwrap();
        }
        now().unwrap();
    }
}
