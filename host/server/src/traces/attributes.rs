//! Names and values of spans' attributes.
//!
//! Names are those of OpenTelemetry's semantic conventions where there is one. No value comes from a caller but the
//! request's id, which is short and plain.

use opentelemetry::KeyValue;

/// The code of the error. Codes that models choose are one.
pub(super) const ERROR_TYPE: &str = "error.type";

/// Fuel, in units of the sandbox's meter.
pub(super) const FUEL: &str = "ampoule.fuel";

/// The most memory of a sandbox, in bytes.
pub(super) const PEAK_MEMORY: &str = "ampoule.peak_memory";

/// Characters of a text. Names of models are shorter.
const MAX_CHARS: usize = 256;

/// Makes an attribute of a number.
pub(super) fn number(name: &'static str, value: u64) -> KeyValue {
    KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX))
}

/// Makes an attribute of a text, which is cut where it is long.
pub(super) fn text(name: &'static str, value: &str) -> KeyValue {
    let end = value.char_indices().nth(MAX_CHARS);
    let end = end.map_or(value.len(), |(end, _)| end);
    KeyValue::new(name, value.get(..end).unwrap_or_default().to_owned())
}
