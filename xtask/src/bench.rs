//! Starts the benchmark, which is a workspace of its own.

use std::ffi::OsString;

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Builds the benchmark's driver and runs it with these arguments.
pub(crate) fn bench(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    process::run(
        process::cargo()
            .args([
                "run",
                "--quiet",
                "--release",
                "--locked",
                "--package",
                "bench-driver",
            ])
            .arg("--manifest-path")
            .arg(workspace.bench().join("Cargo.toml"))
            .arg("--target-dir")
            .arg(workspace.host_target())
            .arg("--")
            .args(arguments),
    )
}
