//! Soaks a host in good, bad and hostile requests.

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{guests, process};

/// Prints what was asked and how the memory went, and fails where an answer was wrong, or something was lost or
/// leaked. The same seed asks in the same order.
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
