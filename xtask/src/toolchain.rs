//! The toolchain of the guests. Only the same toolchain builds the same bytes again.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::digest::sha256_of_file;
use crate::process;
use crate::workspace::{GUEST_TARGET, Workspace};

/// The compiler and the standard library of the guests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GuestToolchain {
    /// Lines of `rustc -vV` with release, commit, host and LLVM.
    rustc: Vec<String>,
    /// Digest of the lines `DIGEST  NAME`, sorted by name, that `sha256sum` prints for all files of the target's
    /// standard library.
    standard_library_sha256: String,
}

impl GuestToolchain {
    /// Returns the toolchain of this machine.
    pub(crate) fn active() -> Result<Self> {
        let version = process::output(Command::new("rustc").arg("-vV"))?;
        let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
        let library = Path::new(sysroot.trim_end())
            .join("lib/rustlib")
            .join(GUEST_TARGET)
            .join("lib");
        Ok(Self {
            rustc: version
                .lines()
                .filter(|line| !line.starts_with("binary:"))
                .map(str::to_owned)
                .collect(),
            standard_library_sha256: sha256_of_folder(&library)?,
        })
    }

    /// Records the toolchain of the guests in `target/guests`, for tests to read.
    pub(crate) fn record(&self, workspace: &Workspace) -> Result<()> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(record_path(workspace), json).context("cannot write down the toolchain")
    }
}

fn record_path(workspace: &Workspace) -> PathBuf {
    workspace.guest_target().join("toolchain.json")
}

fn sha256_of_folder(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    files.sort();
    let mut hasher = Sha256::new();
    for name in files {
        let digest = sha256_of_file(&folder.join(&name))?;
        hasher.update(format!("{digest}  {name}\n"));
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Lists the files below `folder`, by their paths from `root` with forward slashes.
fn list(root: &Path, folder: &Path, files: &mut Vec<String>) -> Result<()> {
    let doing = || format!("cannot list {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(doing)? {
        let path = entry.with_context(doing)?.path();
        if path.is_dir() {
            list(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root)?.to_string_lossy();
            files.push(name.replace(std::path::MAIN_SEPARATOR, "/"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_digest_is_that_of_what_sha256sum_prints() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("self-contained")).unwrap();
        for name in ["libstd.rlib", "libcore.rlib", "self-contained/libc.a"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let digest = sha256_of_folder(folder.path()).unwrap();
        let script = "sha256sum libcore.rlib libstd.rlib self-contained/libc.a | sha256sum";
        let expected =
            process::output(Command::new("sh").args(["-c", script]).current_dir(&folder)).unwrap();
        assert!(expected.starts_with(&digest), "{digest} {expected}");
        std::fs::write(folder.path().join("libstd.rlib"), "another").unwrap();
        assert_ne!(sha256_of_folder(folder.path()).unwrap(), digest);
    }

    #[test]
    fn the_toolchain_names_compiler_and_host() {
        let toolchain = GuestToolchain::active().unwrap();
        for field in ["rustc ", "commit-hash: ", "host: ", "LLVM version: "] {
            assert!(
                toolchain.rustc.iter().any(|line| line.starts_with(field)),
                "{field}"
            );
        }
        assert_eq!(toolchain.standard_library_sha256.len(), 64);
    }
}
