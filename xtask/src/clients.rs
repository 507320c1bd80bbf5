//! Real clients of the server, which its tests run: those of Python and JavaScript by lock files, and Prometheus' checker
//! of metrics. Beside them, the packages that drive a browser through the server's page.
//!
//! All of them go to `target/clients`. Nothing is installed for the whole machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

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
    let (python, node, page, promtool) = std::thread::scope(|scope| {
        let python = scope.spawn(|| python(&sources, &folder.join("python")));
        let node = scope.spawn(|| npm_packages(workspace, SOURCES, &folder.join("node")));
        let page = scope.spawn(|| npm_packages(workspace, PAGE, &folder.join("page")));
        let promtool = promtool(&folder.join("promtool"));
        (python.join(), node.join(), page.join(), promtool)
    });
    for result in [python, node, page] {
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    }
    promtool
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

/// Provides Prometheus' `promtool`: that in `PATH`, or else Debian's. The program is taken out of its package, whose
/// installation would start a server.
fn promtool(path: &Path) -> Result<()> {
    let works = |program: &Path| process::output(Command::new(program).arg("--version")).is_ok();
    if works(Path::new("promtool")) || works(path) {
        return Ok(());
    }
    if !process::is_there("apt-get") || !process::is_there("dpkg-deb") {
        bail!("`promtool` is not in PATH: install Prometheus, which it is a part of");
    }
    eprintln!("Taking promtool out of Debian's package of Prometheus (19 MB).");
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent)?;
    let work = tempfile::tempdir_in(parent)?;
    let download = || {
        process::output(Command::new("apt-get").current_dir(work.path()).args([
            "--quiet",
            "download",
            "prometheus",
        ]))
    };
    if download().is_err() {
        // A fresh image has no package lists.
        process::run(Command::new("apt-get").arg("update"))?;
        download().context(
            "apt-get could not download Debian's package `prometheus`; install it, so that `promtool` is in PATH",
        )?;
    }
    let package = the_one_file(work.path())?;
    let tree = work.path().join("tree");
    process::output(
        Command::new("dpkg-deb")
            .arg("--extract")
            .args([&package, &tree]),
    )?;
    let program = tree.join("usr/bin/promtool");
    process::output(Command::new(&program).arg("--version"))
        .context("promtool of Debian's package `prometheus` does not work")?;
    std::fs::rename(program, path)?;
    Ok(())
}

fn the_one_file(folder: &Path) -> Result<PathBuf> {
    let first = std::fs::read_dir(folder)?.next();
    Ok(first.context("apt-get downloaded nothing")??.path())
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
