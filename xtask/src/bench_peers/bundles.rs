//! The signed bundles that Ampoule runs here.

use std::path::PathBuf;

use anyhow::Result;

use super::folder;
use crate::guests;
use crate::minilm_bundle::{self, Destination};
use crate::signed_bundle::{self, Recipe, Release};
use crate::workspace::{HostProfile, Workspace};

/// A bundle, and the trust directory that says who may have signed it.
pub(crate) struct Signed {
    pub(crate) path: PathBuf,
    pub(crate) trust: PathBuf,
}

const PROFILE: HostProfile = HostProfile::Release;

/// The guest that does nothing but products.
const MULTIPLIER: Recipe = Recipe {
    capabilities: &[],
    publisher: "bench",
    name: "multiplier",
    package: guests::TEST_GUESTS,
    tasks: &["text-embedding"],
    description: "Matrix products",
    source: "cargo xtask bench",
    limits: &[],
};

/// The bundle of the demo, made anew where its parts have changed.
pub(crate) fn encoder(workspace: &Workspace) -> Result<Signed> {
    guests::build_model(workspace, &guests::model(workspace, "ampoule-minilm")?)?;
    signed_bundle::build_programs(workspace, PROFILE)?;
    minilm_bundle::demo_if_stale(workspace, PROFILE)?;
    let demo = Destination::demo(workspace);
    Ok(Signed {
        path: demo.bundle,
        trust: demo.trust,
    })
}

/// A bundle of the guest that multiplies, made anew each time.
pub(crate) fn multiplier(workspace: &Workspace) -> Result<Signed> {
    let component = guests::build_test_guest(workspace, "multiplies_matrices")?;
    signed_bundle::build_programs(workspace, PROFILE)?;
    let place = folder(workspace).join("multiplier");
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    let (path, trust) = (place.join("bundle"), place.join("trust"));
    std::fs::create_dir_all(&path)?;
    signed_bundle::copy(&component, &path.join("component.wasm"))?;
    let release = Release {
        number: 1,
        created: None,
    };
    signed_bundle::write_manifest(workspace, &MULTIPLIER, &release, &path, PROFILE)?;
    let public_key = place.join("publisher.pub.pem");
    signed_bundle::sign_once(workspace, &path, &public_key, PROFILE)?;
    signed_bundle::trust(
        workspace,
        MULTIPLIER.publisher,
        &public_key,
        &trust,
        PROFILE,
    )?;
    Ok(Signed { path, trust })
}
