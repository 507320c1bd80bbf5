//! Times on the wire: milliseconds with a fraction.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(millis(*time))
}

pub(crate) fn serialize_list<S: Serializer>(
    times: &[Duration],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(times.iter().copied().map(millis))
}

/// Reads a time to the nanosecond, which the fraction holds for times of up to a hundred days.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let millis = f64::deserialize(deserializer)?;
    let time = Duration::try_from_secs_f64((millis * 1e6).round() / 1e9);
    time.map_err(D::Error::custom)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
