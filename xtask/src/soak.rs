//! Soaks a host in good, bad and hostile requests.

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
