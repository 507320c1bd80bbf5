//! Asks the built-in model the questions of its evaluation, through the sandbox.

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Prints the table of the model card, and wrong answers on standard error; writes the results, and fails where they
/// are below the bounds. With `every` above 1, one question in so many is asked, and nothing is written.
pub(crate) fn eval(workspace: &Workspace, every: u32) -> Result<()> {
    process::run(
        process::cargo()
            .current_dir(workspace.root())
            .args(["run", "--release", "--example", "evaluate", "--"])
            .arg(every.to_string()),
    )
}
