//! Makes the bundle that is built into `ampoule` from the source and the weights that are in the
//! repository, and signs it with a key that nobody ever holds.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::sha256_of_file;
use crate::guests;
use crate::process;
use crate::signed_bundle::{self, Recipe, Release};
use crate::toolchain::GuestToolchain;
use crate::workspace::{HostProfile, Workspace};

/// The one model that is built in.
pub(crate) const TINY_VLM: Recipe = Recipe {
    publisher: "ampoule",
    name: "tiny-vlm",
    package: "ampoule-tiny-vlm",
    tasks: &[
        "text-generation",
        "image-classification",
        "image-embedding",
        "text-tokenization",
    ],
    description: "Answers questions about pictures of simple shapes; trained by this project",
    source: "guest/models/tiny-vlm",
    // Measured by `tests/tests/large_pictures.rs`: loading takes 15 MiB; the worst picture of 4,096 ×
    // 4,096 pixels, an animated WebP whose first frame is lossy and see-through, 221 MiB. The rest is for
    // what those have less of than others may: tables of codes, and fifteen more files in the request.
    limits: &["--memory", "320MiB", "--init-memory", "64MiB"],
    capabilities: &[],
};

/// Folder of its weights, and their names here and in the bundle.
const WEIGHTS: &str = "guest/models/tiny-vlm/weights";
const WEIGHT_FILES: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];

/// Folder of the bundle, beside the program that contains it.
const FOLDER: &str = "host/cli/builtin/tiny-vlm";

/// Profile of the signer. Five megabytes are quickly signed in the profile that tests build anyway.
const PROFILE: HostProfile = HostProfile::Dev;

/// Files in that folder that are not part of the bundle.
const PUBLIC_KEY: &str = "publisher.pub.pem";
const PROVENANCE: &str = "provenance.json";

/// Origin of the component.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Provenance {
    /// The command that makes it again.
    command: String,
    component_sha256: String,
    #[serde(flatten)]
    toolchain: GuestToolchain,
}

/// Builds the guest and makes the bundle anew, unless the same manifest would be signed again.
pub(crate) fn make(workspace: &Workspace) -> Result<()> {
    let weights = workspace.root().join(WEIGHTS);
    for name in WEIGHT_FILES {
        ensure!(
            weights.join(name).is_file(),
            "{WEIGHTS}/{name} is not there: export the trained weights first"
        );
    }
    let guest = guests::model(workspace, TINY_VLM.package)?;
    guests::build_model(workspace, &guest)?;
    signed_bundle::build_signer(workspace, PROFILE)?;

    let folder = workspace.root().join(FOLDER);
    let parent = folder.parent().context("the bundle has no parent folder")?;
    std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let staging =
        tempfile::tempdir_in(parent).context("cannot make a temporary folder beside the bundle")?;
    let staged = staging.path().join(TINY_VLM.name);
    std::fs::create_dir(&staged)?;
    signed_bundle::copy(&guest.component, &staged.join("component.wasm"))?;
    for name in WEIGHT_FILES {
        signed_bundle::copy(&weights.join(name), &staged.join(name))?;
    }

    let release = match signed_manifest(workspace, &folder)? {
        None => 1,
        Some(old) => {
            let same = Release {
                number: old["release"].as_u64().context("the old release")?,
                created: old["created"].as_str().map(str::to_owned),
            };
            let new = signed_bundle::write_manifest(workspace, &TINY_VLM, &same, &staged, PROFILE)?;
            if new == old {
                println!("{FOLDER} is up to date (release {})", same.number);
                return Ok(());
            }
            std::fs::remove_file(staged.join("manifest.json"))?;
            same.number + 1
        }
    };
    let release = Release {
        number: release,
        created: None,
    };
    signed_bundle::write_manifest(workspace, &TINY_VLM, &release, &staged, PROFILE)?;
    signed_bundle::sign_once(workspace, &staged, &staged.join(PUBLIC_KEY), PROFILE)?;
    // It is the envelope's payload now; a second copy could only come to differ.
    std::fs::remove_file(staged.join("manifest.json"))?;
    write_provenance(&staged)?;
    put_in_place(&staged, &folder, &staging.path().join("old"))?;
    println!(
        "{FOLDER}: release {}, signed by a key that never was on disk; commit the folder",
        release.number
    );
    Ok(())
}

/// Reads the manifest of the bundle that is there, if there is one.
fn signed_manifest(workspace: &Workspace, folder: &Path) -> Result<Option<Value>> {
    if !folder.exists() {
        return Ok(None);
    }
    let inspect = process::output(
        signed_bundle::program(workspace, PROFILE, "ampoule-sign")
            .args(["inspect", "--json"])
            .arg(folder),
    )
    .with_context(|| format!("{FOLDER} is there and is no bundle"))?;
    let mut answer: Value = serde_json::from_str(&inspect)?;
    Ok(Some(answer["manifest"].take()))
}

fn write_provenance(staged: &Path) -> Result<()> {
    let provenance = Provenance {
        command: format!("cargo xtask bundle {}", TINY_VLM.name),
        component_sha256: sha256_of_file(&staged.join("component.wasm"))?,
        toolchain: GuestToolchain::active()?,
    };
    let json = serde_json::to_string_pretty(&provenance)? + "\n";
    std::fs::write(staged.join(PROVENANCE), json).context("cannot write down the provenance")
}

/// Swaps the whole folder, so that no build sees one bundle's envelope with another's weights.
fn put_in_place(staged: &Path, folder: &PathBuf, old: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::rename(folder, old).with_context(|| format!("cannot replace {FOLDER}"))?;
    }
    if let Err(error) = std::fs::rename(staged, folder) {
        // The one that was there is better than none.
        if old.exists() {
            let _ = std::fs::rename(old, folder);
        }
        bail!("cannot put {FOLDER} into place: {error}");
    }
    Ok(())
}
