//! What a signed bundle promises, from the outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it counted"
)]

mod bounds;
mod command_line;
mod commands;
mod cosign_command;
mod cosigning;
mod delegation_options;
mod ed25519_edge_cases;
mod ed25519_vectors;
mod envelope;
mod file_hygiene;
mod file_hygiene_commands;
mod fixture;
mod fuzz_corpus;
mod guarded_files;
mod identity;
mod key_encryptions;
mod key_files;
mod keys;
mod large_bundle_benchmark;
mod large_files;
mod locks;
mod manifest;
mod manifest_files;
mod manual;
mod memory;
mod messages;
mod minisign;
mod one_time_key;
mod openssl;
mod packed;
mod private_directory;
mod published_files;
mod publisher_tools;
mod release_crashes;
mod releases;
mod revocation;
mod revocation_commands;
mod revocation_format;
mod root;
mod root_commands;
mod root_files;
mod root_format;
mod root_succession;
mod rules;
mod tamper;
mod tamper_matrix;
mod template;
mod terminal;
mod threshold;
mod trust;
mod trust_update;
mod unread_files;
mod usage;
mod ustar;
mod weak_key;
