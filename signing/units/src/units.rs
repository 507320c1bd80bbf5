//! Quantities with their units: bytes, fuel and time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::parse_error::ParseError;
use crate::text;

/// A number of bytes.
///
/// Text form: a whole number and a unit (`256MiB`, `1GiB`, `64KiB`, `10B`), or a bare number of
/// bytes. [`fmt::Display`] writes the largest unit that loses nothing, so text round-trips.
///
/// ```
/// use ampoule_units::ByteSize;
///
/// let size: ByteSize = "256MiB".parse()?;
/// assert_eq!(size, ByteSize::from_mib(256));
/// assert_eq!(size.to_string(), "256MiB");
/// # Ok::<(), ampoule_units::ParseError>(())
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ByteSize(u64);

/// From the largest to the smallest, so that the first one that fits is the one to print.
const BYTE_UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl ByteSize {
    /// This many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// This many mebibytes (2^20 bytes).
    #[must_use]
    pub const fn from_mib(mib: u32) -> Self {
        Self((mib as u64) << 20)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in BYTE_UNITS {
            let whole = self.0 >> shift;
            if whole > 0 && whole << shift == self.0 {
                return write!(f, "{whole}{unit}");
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl FromStr for ByteSize {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (digits, shift) = BYTE_UNITS
            .into_iter()
            .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
            .unwrap_or((text, 0));
        let size = parse_digits(digits).and_then(|whole| {
            let bytes = whole.checked_shl(shift)?;
            (bytes >> shift == whole).then_some(Self(bytes))
        });
        size.ok_or_else(|| {
            ParseError(format!(
                "expected a size such as 256MiB, 1GiB or 1024, found {text:?}"
            ))
        })
    }
}

/// A number of fuel units, Wasmtime's measure of work: one for each WebAssembly operator that is executed, and one
/// more for each byte or table element that an operator in bulk moves (`memory.fill`, `memory.copy`, `table.init`
/// and their like, since Wasmtime 46). Operators that only give structure, such as `block`, `end` and `drop`, cost
/// nothing. The same on every machine.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Fuel(u64);

impl Fuel {
    /// This many units.
    #[must_use]
    pub const fn new(units: u64) -> Self {
        Self(units)
    }

    /// The number of units.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fuel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Fuel {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_digits(text).map(Self).ok_or_else(|| {
            ParseError(format!(
                "expected a whole number of fuel units, found {text:?}"
            ))
        })
    }
}

/// Reads a time such as `5s`, `500ms` or `1m 30s`, in whole milliseconds and of at least one.
///
/// # Errors
///
/// For any other text.
pub fn parse_time(text: &str) -> Result<Duration, ParseError> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|time| Duration::try_from(time).ok())
        .filter(|time| time.as_millis() > 0 && time.subsec_nanos().is_multiple_of(1_000_000))
        .ok_or_else(|| {
            let found = text::name(text);
            ParseError(format!(
                "expected a time in whole milliseconds, such as 5s or 500ms, found {found:?}"
            ))
        })
}

/// The text that [`parse_time`] reads.
#[must_use]
pub fn time_text(time: Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1000) {
        format!("{}s", millis / 1000)
    } else {
        format!("{millis}ms")
    }
}

/// A decimal number without sign; `u64::from_str` alone would take `+5`.
fn parse_digits(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_round_trip_through_text() {
        for bytes in [0, 1, 1023, 1024, 90_868_376, 256 << 20, 1 << 30, u64::MAX] {
            let size = ByteSize::from_bytes(bytes);
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        assert_eq!("1GiB".parse(), Ok(ByteSize::from_mib(1024)));
        assert_eq!("1024".parse(), Ok(ByteSize::from_bytes(1024)));
    }

    #[test]
    fn sizes_that_mean_nothing_or_overflow_are_refused() {
        for text in [
            "",
            "MiB",
            "1.5GiB",
            "-1",
            "+1",
            "1 MiB",
            "1mib",
            "17179869184GiB",
            "1TiBB",
        ] {
            assert!(text.parse::<ByteSize>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn times_round_trip_through_text() {
        for (text, millis) in [("5s", 5_000), ("500ms", 500), ("1500ms", 1_500)] {
            let time = Duration::from_millis(millis);
            assert_eq!(parse_time(text), Ok(time));
            assert_eq!(time_text(time), text);
        }
        assert_eq!(parse_time("1m30s"), Ok(Duration::from_secs(90)));
        for text in [
            "",
            "5",
            "-5s",
            "0s",
            "1ns",
            "1ms 500us",
            "s",
            "99999999999999999999s",
        ] {
            assert!(parse_time(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn fuel_is_a_plain_number() {
        assert_eq!("5000000".parse(), Ok(Fuel::new(5_000_000)));
        assert!("5M".parse::<Fuel>().is_err());
    }
}
