//! Names quantities with their units, spells bytes in hexadecimal, and makes strangers' text fit for people.
//!
//! Everything above speaks in these types: the signing library, what loads a model and what serves it. Nothing in
//! here knows of keys, files or sandboxes.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod budget;
pub mod hex;
mod parse_error;
pub mod text;
mod units;

pub use budget::{Budget, SandboxBudgets};
pub use parse_error::ParseError;
pub use units::{ByteSize, Fuel, parse_time, time_text};
