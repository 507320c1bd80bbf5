//! What a signed bundle promises, from the outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bounds;
mod command_line;
mod cosign_command;
mod cosigning;
mod delegation_options;
mod envelope;
mod file_hygiene;
mod file_hygiene_commands;
mod fixture;
mod guarded_files;
mod identity;
mod keys;
mod manifest;
mod manifest_files;
mod memory;
mod messages;
mod one_time_key;
mod openssl;
mod packed;
mod publisher_tools;
mod release_crashes;
mod releases;
mod root;
mod root_commands;
mod root_files;
mod root_format;
mod root_succession;
mod rules;
mod tamper;
mod template;
mod terminal;
mod threshold;
mod trust;
mod trust_update;
mod usage;
mod weak_key;
