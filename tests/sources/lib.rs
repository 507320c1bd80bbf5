//! Rules that the repository's documents keep: links lead somewhere, and a test keeps each promise.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )
)]

#[path = "documents/links.rs"]
mod links;
#[path = "documents/promises.rs"]
pub mod promises;
#[path = "documents/test_report.rs"]
pub mod test_report;
