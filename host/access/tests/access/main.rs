//! Promises of API keys, from the outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod desk;
mod fuzz_corpus;
mod issuers;
mod key_directory;
mod key_store;
mod limits;
mod limits_by_a_model;
mod token_attacks;
mod tokens;
