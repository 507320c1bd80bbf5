//! Runs the `openssl` tool. Where the tool is missing, a test fails: a skipped test proves nothing.

use std::path::Path;
use std::process::{Command, Output};

/// The password in the environment of each call, as `env:AMPOULE_TEST_PASSWORD`.
pub(crate) const PASSWORD: &str = "pass word: ünïcode";

pub(crate) fn openssl(dir: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl")
        .current_dir(dir)
        .env("AMPOULE_TEST_PASSWORD", PASSWORD)
        .args(arguments)
        .output()
        .expect("this test needs the `openssl` tool, version 3; install the package openssl")
}

#[track_caller]
pub(crate) fn openssl_succeeds(dir: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = openssl(dir, arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
