//! Builds the guests' standard library from source, for a machine that rustup's server is out of
//! reach of.
//!
//! Two things are needed: the source of the standard library, of the very version of the compiler, and
//! wasi-libc. They come from the folder that `AMPOULE_RUST_SOURCE` names, else from the Debian archive.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::debian_source;
use crate::process;
use crate::workspace::{GUEST_TARGET, Workspace};

/// Names a folder with `rust-library-VERSION.tar.xz` (the compiler's own `library/`) and
/// `wasi-libc*.deb` (Debian's package).
pub(crate) const SOURCE_VARIABLE: &str = "AMPOULE_RUST_SOURCE";

/// Tried last, beside the repository, where the variable is not set.
const SOURCE_BESIDE_THE_REPOSITORY: &str = "../shared/toolchain";

/// What the build starts from.
pub(crate) struct Sources {
    /// The folder `library` of the Rust repository.
    pub(crate) library: PathBuf,
    /// The folder that wasi-libc's package was unpacked into.
    pub(crate) libc: PathBuf,
}

/// Builds the standard library of Rust `release` and installs it as `destination`, the target's folder
/// in a sysroot.
pub(crate) fn install(workspace: &Workspace, release: &str, destination: &Path) -> Result<()> {
    std::fs::create_dir_all(workspace.output())?;
    let work = tempfile::tempdir_in(workspace.output())
        .context("cannot make a temporary folder under target/")?;
    let sources = sources(workspace, release, work.path())?;
    let rlibs = build(&sources, work.path())?;
    put_in_place(&rlibs, &sources, destination)
}

fn sources(workspace: &Workspace, release: &str, work: &Path) -> Result<Sources> {
    if let Some(folder) = std::env::var_os(SOURCE_VARIABLE) {
        return from_folder(Path::new(&folder), release, work).with_context(|| {
            format!(
                "{SOURCE_VARIABLE} is set to {}",
                Path::new(&folder).display()
            )
        });
    }
    let by_debian = match debian_source::fetch(release, work) {
        Ok(sources) => return Ok(sources),
        Err(error) => error,
    };
    let beside = workspace.root().join(SOURCE_BESIDE_THE_REPOSITORY);
    if !beside.is_dir() {
        return Err(by_debian);
    }
    eprintln!(
        "The Debian archive could not help, so {} is tried: {by_debian:#}",
        beside.display()
    );
    from_folder(&beside, release, work)
        .with_context(|| format!("after the Debian archive: {by_debian:#}"))
}

fn from_folder(folder: &Path, release: &str, work: &Path) -> Result<Sources> {
    ensure!(folder.is_dir(), "no folder {}", folder.display());
    let archive = folder.join(format!("rust-library-{release}.tar.xz"));
    ensure!(
        archive.is_file(),
        "no rust-library-{release}.tar.xz in it (this compiler is {release})"
    );
    let libc_package = find_file(folder, |name| {
        name.starts_with("wasi-libc") && name.ends_with(".deb")
    })?
    .context("no wasi-libc*.deb in it")?;
    unpack_tar(&archive, work)?;
    let libc = unpack_deb(&libc_package, &work.join("wasi-libc"))?;
    Ok(Sources {
        library: work.join("library"),
        libc,
    })
}

/// Unpacks a Debian package into `destination`.
pub(crate) fn unpack_deb(package: &Path, destination: &Path) -> Result<PathBuf> {
    process::run(
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(package)
            .arg(destination),
    )?;
    Ok(destination.to_owned())
}

/// `tar` needs the program `xz` beside it; where that is missing, Python can unpack it too.
fn unpack_tar(archive: &Path, destination: &Path) -> Result<()> {
    let by_tar = process::output(
        Command::new("tar")
            .arg("-xJf")
            .arg(archive)
            .arg("-C")
            .arg(destination),
    );
    let Err(by_tar) = by_tar else { return Ok(()) };
    process::output(
        Command::new("python3")
            .args(["-m", "tarfile", "--extract"])
            .arg(archive)
            .arg(destination),
    )
    .with_context(|| format!("neither tar nor Python could unpack it: {by_tar:#}"))?;
    Ok(())
}

/// The first file of `folder`, by name, that `wanted` accepts.
pub(crate) fn find_file(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Option<PathBuf>> {
    let mut found = Vec::new();
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&wanted) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found.into_iter().next())
}

/// Builds the library and returns the folder with its `.rlib` files.
fn build(sources: &Sources, work: &Path) -> Result<PathBuf> {
    let manifest = sources.library.join("sysroot/Cargo.toml");
    ensure!(
        manifest.is_file(),
        "the source of the standard library has no sysroot/Cargo.toml"
    );
    let target = work.join("build");
    // As Rust's own build does: unstable features in a stable compiler, crate hashes that mark these
    // crates as the standard library, and the paths of its sources as in the official one, so that
    // no component holds the path of this folder.
    let rust_flags = [
        "-Cembed-bitcode=yes".to_owned(),
        "-Zforce-unstable-if-unmarked".to_owned(),
        format!(
            "--remap-path-prefix={}=/rustc/{}/library",
            sources.library.display(),
            commit_hash()?
        ),
    ];
    process::run(
        process::cargo()
            // Away from this repository's .cargo/config.toml.
            .current_dir(work)
            .args([
                "build",
                "--release",
                "--features",
                "panic-unwind",
                "--target",
                GUEST_TARGET,
                "--manifest-path",
            ])
            .arg(&manifest)
            .arg("--target-dir")
            .arg(&target)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("__CARGO_DEFAULT_LIB_METADATA", "stablestd")
            .env("CARGO_ENCODED_RUSTFLAGS", rust_flags.join("\u{1f}")),
    )
    .context("the standard library did not build")?;
    Ok(target.join(GUEST_TARGET).join("release/deps"))
}

/// The commit that the active compiler was built from.
fn commit_hash() -> Result<String> {
    let version = process::output(Command::new("rustc").arg("-vV"))?;
    let hash = version
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: "));
    Ok(hash.context("`rustc -vV` names no commit")?.to_owned())
}

/// Fills a new folder and swaps it in, so that whoever compiles meanwhile sees the old library or the
/// new one. Nothing of the old one stays: two copies of `core` give hundreds of odd errors.
fn put_in_place(rlibs: &Path, sources: &Sources, destination: &Path) -> Result<()> {
    let parent = destination
        .parent()
        .context("the target's folder has no parent")?;
    let advice = || {
        format!(
            "cannot write to {}: run `cargo xtask setup` as a user who can, or install a toolchain of your own with rustup",
            parent.display()
        )
    };
    let staged = tempfile::tempdir_in(parent).with_context(advice)?;
    let self_contained = staged.path().join("new/lib/self-contained");
    std::fs::create_dir_all(&self_contained).with_context(advice)?;
    let libraries = copy_files(rlibs, &staged.path().join("new/lib"), |path| {
        path.extension() == Some(OsStr::new("rlib"))
    })?;
    ensure!(
        libraries > 0,
        "the build of the standard library left no .rlib file"
    );
    let libc = sources.libc.join("usr/lib").join(GUEST_TARGET);
    ensure!(
        libc.is_dir(),
        "wasi-libc's package has no usr/lib/{GUEST_TARGET}: a version of 2026 or newer is needed"
    );
    copy_files(&libc, &self_contained, Path::is_file)?;
    let old = staged.path().join("old");
    if destination.exists() {
        std::fs::rename(destination, &old).with_context(advice)?;
    }
    std::fs::rename(staged.path().join("new"), destination).with_context(advice)
}

/// Copies what `wanted` accepts of the entries of `from`, and returns how many.
fn copy_files(from: &Path, to: &Path, wanted: impl Fn(&Path) -> bool) -> Result<usize> {
    let mut copied = 0;
    for entry in
        std::fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))?
    {
        let path = entry?.path();
        if let (true, Some(name)) = (wanted(&path), path.file_name()) {
            std::fs::copy(&path, to.join(name))
                .with_context(|| format!("cannot copy {}", path.display()))?;
            copied += 1;
        }
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_folder_of_another_version_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rust-library-1.94.0.tar.xz"), "").unwrap();
        let Err(error) = from_folder(folder.path(), "1.95.0", folder.path()) else {
            panic!("accepted")
        };
        assert!(
            error.to_string().contains("no rust-library-1.95.0.tar.xz"),
            "{error}"
        );
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
        let sources = Sources {
            library: path("library"),
            libc: path("libc"),
        };
        put_in_place(&path("rlibs"), &sources, &path("sysroot/t")).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(path("sysroot/t/lib"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["libcore-new.rlib", "self-contained"]);
        assert!(path("sysroot/t/lib/self-contained/libc.a").is_file());
        assert_eq!(
            std::fs::read_dir(path("sysroot")).unwrap().count(),
            1,
            "the staging folder is gone"
        );
    }
}
