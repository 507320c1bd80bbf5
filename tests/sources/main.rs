//! Rules that the sources and documents keep: comments open plainly, files import each other in no circle, and
//! the first documents are short.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod code_vouchers;
mod command_line_parser;
mod comment_openers;
mod document_lengths;
mod folder_layers;
mod import_circles;
mod rust_files;
mod serve_dependencies;
mod server_routes;
