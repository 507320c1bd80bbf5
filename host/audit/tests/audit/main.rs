//! Promises of the audit log, from the outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(clippy::print_stdout, reason = "tests print what they counted")]

mod crashes;
mod forger;
mod killed;
mod logs;
mod lost_pages;
mod many_rows;
mod memory;
mod random;
mod rotation;
mod sealing;
mod tampering;
mod waiting_rows;
