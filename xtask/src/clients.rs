//! Real clients of the server, which its tests run: those of Python and JavaScript by lock files, and programs of Debian's
//! packages. Beside them, the packages that drive a browser through the server's page.
//!
//! All of them go to `target/clients`. Nothing is installed for the whole machine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::debian;
use crate::digest::sha256_of_file;
use crate::process;
use crate::workspace::Workspace;

/// Folder of the lock files and of the scripts that use the clients.
const SOURCES: &str = "tests/clients";

/// Folder of the lock file and of the script that use the server's page.
const PAGE: &str = "tests/page";

/// Written last, so an installation that was broken off has none. It holds the digest of the lock file that was
/// installed, and the version of the program that runs it.
const STAMP: &str = "installed";

/// Installs the clients; a no-op for those that are there as their lock files say.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let folder = workspace.output().join("clients");
    let sources = workspace.root().join(SOURCES);
    let (python, node, page, programs) = std::thread::scope(|scope| {
        let python = scope.spawn(|| python(&sources, &folder.join("python")));
        let node = scope.spawn(|| npm_packages(workspace, SOURCES, &folder.join("node")));
        let page = scope.spawn(|| npm_packages(workspace, PAGE, &folder.join("page")));
        let programs = debian::install(&folder);
        (python.join(), node.join(), page.join(), programs)
    });
    for result in [python, node, page] {
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    }
    programs
}

/// Installs the Python clients into an environment of their own. pip is the machine's: the environment gets none.
fn python(sources: &Path, folder: &Path) -> Result<()> {
    let lock = sources.join("requirements.txt");
    let wanted = stamp(&lock, "python3")?;
    if is_installed(folder, &wanted) {
        return Ok(());
    }
    eprintln!("Installing the Python clients with pip (60 MB).");
    empty(folder)?;
    process::output(
        Command::new("python3")
            .args(["-m", "venv", "--without-pip"])
            .arg(folder),
    )
    .context("Python cannot make an environment (Debian: apt-get install python3-venv)")?;
    // Modules are compiled when they are imported. Most never are.
    process::run(
        Command::new("python3")
            .args(["-m", "pip", "--python"])
            .arg(folder.join("bin/python"))
            .args(["--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-compile"])
            .args(["--require-hashes", "--only-binary", ":all:", "--requirement"])
            .arg(&lock),
    )
    .with_context(|| {
        format!(
            "pip could not install {SOURCES}/requirements.txt: is its package index in reach, and does it have wheels for \
             this Python ({wanted})? Python 3.11 to 3.14 have them"
        )
    })?;
    finish(folder, &wanted)
}

/// Installs the packages of a lock file of npm.
fn npm_packages(workspace: &Workspace, sources: &str, folder: &Path) -> Result<()> {
    let from = workspace.root().join(sources);
    let lock = from.join("package-lock.json");
    let wanted = stamp(&lock, "node")?;
    if is_installed(folder, &wanted) {
        return Ok(());
    }
    eprintln!("Installing the packages of {sources} with npm.");
    empty(folder)?;
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(from.join(name), folder.join(name))?;
    }
    process::output(Command::new("npm").current_dir(folder).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]))
    .with_context(|| {
        format!("npm could not install {sources}/package-lock.json: is its registry in reach?")
    })?;
    finish(folder, &wanted)
}

fn stamp(lock: &Path, program: &str) -> Result<String> {
    let version = process::output(Command::new(program).arg("--version"))?;
    Ok(format!("{} {}", sha256_of_file(lock)?, version.trim()))
}

fn is_installed(folder: &Path, wanted: &str) -> bool {
    std::fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == wanted)
}

/// Makes the folder anew, without what an earlier installation left.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(std::fs::create_dir_all(folder)?)
}

fn finish(folder: &Path, stamp: &str) -> Result<()> {
    Ok(std::fs::write(folder.join(STAMP), stamp)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_that_was_broken_off_or_is_of_another_lock_file_is_made_anew() {
        let work = tempfile::tempdir().unwrap();
        let folder = work.path().join("python");
        assert!(!is_installed(&folder, "a"), "there is none");
        empty(&folder).unwrap();
        std::fs::write(folder.join("old.py"), "").unwrap();
        assert!(!is_installed(&folder, "a"), "broken off");
        finish(&folder, "a").unwrap();
        assert!(is_installed(&folder, "a"));
        assert!(!is_installed(&folder, "b"), "another lock file");
        empty(&folder).unwrap();
        assert!(!folder.join("old.py").exists());
    }
}
