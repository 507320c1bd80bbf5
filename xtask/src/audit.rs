//! Looks for known vulnerabilities in the dependencies, in an advisory database on this machine.
//!
//! The network is never asked, so CI gives one answer for one commit and one database.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::process;
use crate::workspace::Workspace;

/// Names a folder laid out as the RustSec advisory database, a git checkout or not.
const DATABASE_VARIABLE: &str = "AMPOULE_ADVISORY_DB";

/// Folder beside the repository that is tried where the variable is not set.
const DATABASE_BESIDE_THE_REPOSITORY: &str = "../shared/advisory-db";

/// The version of cargo-audit that is installed under `target/tools`.
const CARGO_AUDIT_VERSION: &str = "0.22.2";

/// Audits every lock file of the repository, or warns loudly that there is no database.
pub(crate) fn audit(workspace: &Workspace) -> Result<()> {
    let Some(database) = database(workspace)? else {
        eprintln!(
            "\n*** NOT AUDITED: no advisory database is here, so vulnerable dependencies would go unseen.\n\
             *** Set {DATABASE_VARIABLE} to a copy of the RustSec advisory database.\n"
        );
        return Ok(());
    };
    let cargo_audit = installed(workspace)?;
    for lock_file in lock_files(workspace)? {
        process::run(
            Command::new(&cargo_audit)
                .args([
                    "audit",
                    "--no-fetch",
                    "--stale",
                    "--deny",
                    "unsound",
                    "--db",
                ])
                .arg(&database)
                .arg("--file")
                .arg(lock_file),
        )?;
    }
    Ok(())
}

fn database(workspace: &Workspace) -> Result<Option<PathBuf>> {
    if let Some(folder) = std::env::var_os(DATABASE_VARIABLE) {
        let folder = PathBuf::from(folder);
        ensure!(
            folder.join("crates").is_dir(),
            "{DATABASE_VARIABLE} is set, but {} has no folder `crates`",
            folder.display()
        );
        return Ok(Some(folder));
    }
    let beside = workspace.root().join(DATABASE_BESIDE_THE_REPOSITORY);
    Ok(beside.join("crates").is_dir().then_some(beside))
}

/// Lists the workspace's lock file and those of the crates outside it.
fn lock_files(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut found = vec![workspace.root().join("Cargo.lock")];
    for package in workspace.outside_packages()? {
        let lock_file = package.join("Cargo.lock");
        if lock_file.is_file() {
            found.push(lock_file);
        }
    }
    Ok(found)
}

/// Returns cargo-audit, and installs it when the pinned version is missing. It runs for two seconds, and building it
/// without optimisation takes half the time.
fn installed(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.output().join("tools");
    let program = root.join(format!("bin/cargo-audit{}", std::env::consts::EXE_SUFFIX));
    let version = process::output(Command::new(&program).args(["audit", "--version"]));
    if !version.is_ok_and(|version| version.trim().ends_with(CARGO_AUDIT_VERSION)) {
        eprintln!(
            "Installing cargo-audit {CARGO_AUDIT_VERSION} into target/tools (a few minutes, once)."
        );
        process::run(
            process::cargo()
                .args([
                    "install",
                    "cargo-audit",
                    "--version",
                    CARGO_AUDIT_VERSION,
                    "--locked",
                    "--no-default-features",
                ])
                .args(["--debug", "--force", "--root"])
                .arg(&root)
                // Its build is of no use to the workspace's.
                .arg("--target-dir")
                .arg(root.join("build"))
                .env("CARGO_PROFILE_DEV_DEBUG", "0"),
        )
        .context("cargo-audit could not be installed")?;
        std::fs::remove_dir_all(root.join("build"))
            .context("cannot remove the build of cargo-audit")?;
    }
    Ok(program)
}
