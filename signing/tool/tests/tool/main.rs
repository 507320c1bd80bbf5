//! Promises of the command `ampoule-sign`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it counted"
)]

mod command_line;
mod commands;
mod cosign_command;
mod delegation_options;
mod file_hygiene_commands;
mod key_encryptions;
mod large_files;
mod manual;
mod minisign;
mod one_time_key;
mod published_files;
mod publisher_tools;
mod revocation_commands;
mod root_commands;
mod terminal;
mod usage;

#[path = "../../../tests/signing/file_access.rs"]
#[allow(dead_code, reason = "the tests of the library use the rest")]
mod file_access;
#[path = "../../../tests/signing/fixture.rs"]
#[allow(dead_code, reason = "the tests of the library use the rest")]
mod fixture;
#[path = "../../../tests/signing/openssl_program.rs"]
#[allow(dead_code, reason = "the tests of the library use the rest")]
mod openssl_program;
