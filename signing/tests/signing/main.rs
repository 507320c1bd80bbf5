//! Promises of a signed bundle, from the outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it counted"
)]

mod bounds;
mod cosigning;
mod ed25519_edge_cases;
mod ed25519_vectors;
mod envelope;
mod file_access;
mod file_hygiene;
#[allow(dead_code, reason = "the tests of the command use the rest")]
mod fixture;
mod fuzz_corpus;
mod guarded_directory;
mod guarded_files;
mod identity;
mod key_files;
mod keys;
mod large_bundle_benchmark;
mod locks;
mod manifest;
mod manifest_files;
mod memory;
mod messages;
mod openssl;
mod openssl_program;
mod packed;
mod private_directory;
mod release_crashes;
mod releases;
mod revocation;
mod revocation_format;
mod root;
mod root_files;
mod root_format;
mod root_succession;
mod rules;
mod tamper;
mod tamper_matrix;
mod template;
mod threshold;
mod trust;
mod trust_update;
mod unread_files;
mod ustar;
mod weak_key;
