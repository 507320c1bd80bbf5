//! Soaks a host in good, bad and hostile requests, or floods a server.

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{guests, process};

/// Prints the requests and the memory over time, and fails when an answer was wrong, or anything was lost or leaked.
/// A seed repeats the order of an earlier soak.
pub(crate) fn soak(workspace: &Workspace, minutes: u32, seed: Option<u64>) -> Result<()> {
    guests::build_all(workspace)?;
    let mut soak = process::cargo();
    soak.current_dir(workspace.root())
        .args(["run", "--release", "--package", "ampoule-tests"])
        .args(["--example", "soak", "--"])
        .arg(minutes.to_string());
    if let Some(seed) = seed {
        soak.arg(seed.to_string());
    }
    process::run(&mut soak)
}

/// Floods the built server, and fails when its memory is not flat or a good request is not answered.
pub(crate) fn flood(workspace: &Workspace) -> Result<()> {
    guests::build_all(workspace)?;
    let cargo = |action: &str| {
        let mut cargo = process::cargo();
        cargo
            .current_dir(workspace.root())
            .args([action, "--release"]);
        cargo
    };
    process::run(cargo("build").args(["--bin", "ampoule"]))?;
    process::run(cargo("run").args(["--package", "ampoule-tests", "--example", "flood"]))
}
