//! Rules that the repository's Rust sources keep: comments open plainly, and files import each other in no circle.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod comment_openers;
mod import_circles;
mod rust_files;
