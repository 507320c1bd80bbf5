//! The signed bundles that Ampoule runs here.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::folder;
use super::jobs::matrix_value;
use super::workload::GEMV_SIDE;
use crate::guests;
use crate::minilm_bundle::{self, Destination, MINILM};
use crate::signed_bundle::{self, Recipe, Release};
use crate::weights;
use crate::workspace::{HostProfile, Workspace};

/// A bundle, and the trust directory that says who may have signed it.
pub(crate) struct Signed {
    pub(crate) path: PathBuf,
    pub(crate) trust: PathBuf,
}

/// A bundle whose guest has more matrices than caches hold.
pub(crate) struct Rotation {
    pub(crate) bundle: Signed,
    /// What its sandbox needs, in bytes.
    pub(crate) memory: u64,
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

/// The same with many large matrices, of as much memory as 32 bits address.
const ROTATION: Recipe = Recipe {
    name: "rotation",
    description: "Matrices of four bits by turns",
    limits: &["--memory", "4095MiB", "--init-memory", "4095MiB"],
    capabilities: &["host-kernels"],
    ..MULTIPLIER
};

/// What [`ROTATION`] asks for.
const ROTATION_MEMORY: u64 = 4095 << 20;

/// What all matrices of [`ROTATION`] may take of that, in bytes.
const MOST_MATRICES: usize = 3 << 30;

/// Bytes that a product with one row reads of a matrix of four bits: half a byte for each weight, and two
/// for every 32 of them, their scale.
pub(crate) const fn four_bit_bytes(side: usize) -> usize {
    side * side / 2 + side * side / 32 * 2
}

/// The bundle of the demo, made anew where its parts have changed.
pub(crate) fn encoder(workspace: &Workspace) -> Result<Signed> {
    guests::build_model(workspace, &guests::model(workspace, MINILM.package)?)?;
    signed_bundle::build_programs(workspace, PROFILE)?;
    minilm_bundle::demo_if_stale(workspace, PROFILE)?;
    let demo = Destination::demo(workspace);
    Ok(Signed {
        path: demo.bundle,
        trust: demo.trust,
    })
}

/// The same in integers of eight bits, made anew each time. What [`encoder`] builds must be there.
pub(crate) fn encoder_in_int8(workspace: &Workspace) -> Result<Signed> {
    let component = guests::model(workspace, MINILM.package)?.component;
    make(workspace, &MINILM, "minilm-int8", &component, |folder| {
        for (name, _) in weights::files() {
            signed_bundle::copy(&weights::folder(workspace).join(name), &folder.join(name))?;
        }
        Ok(std::fs::write(
            folder.join("ampoule.json"),
            "{\"weights\": \"int8\"}",
        )?)
    })
}

/// A bundle of the guest that multiplies, made anew each time.
pub(crate) fn multiplier(workspace: &Workspace) -> Result<Signed> {
    let component = build_multiplier(workspace)?;
    make(workspace, &MULTIPLIER, "multiplier", &component, |_| Ok(()))
}

/// A bundle of that guest with matrices of four bits, of so many bytes together and more. Made anew each
/// time.
pub(crate) fn rotation(workspace: &Workspace, bytes: usize) -> Result<Rotation> {
    let component = build_multiplier(workspace)?;
    let copies = bytes.min(MOST_MATRICES).div_ceil(four_bit_bytes(GEMV_SIDE));
    let bundle = make(workspace, &ROTATION, "rotation", &component, |folder| {
        let config = format!("{GEMV_SIDE} {GEMV_SIDE} {copies}");
        std::fs::write(folder.join("matrices.txt"), config)?;
        write_matrix(&folder.join("matrix.f32"))
    })?;
    Ok(Rotation {
        bundle,
        memory: ROTATION_MEMORY,
    })
}

fn build_multiplier(workspace: &Workspace) -> Result<PathBuf> {
    signed_bundle::build_programs(workspace, PROFILE)?;
    guests::build_test_guest(workspace, "multiplies_matrices")
}

/// Writes the matrix that engines multiply with, in little-endian binary32.
fn write_matrix(path: &Path) -> Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for index in 0..GEMV_SIDE * GEMV_SIDE {
        // Its 24 bits fit.
        file.write_all(&(matrix_value(index) as f32).to_le_bytes())?;
    }
    Ok(file.flush()?)
}

/// Makes the bundle of a recipe under `target/bench`, of a component and what `fill` puts beside it.
fn make(
    workspace: &Workspace,
    recipe: &Recipe,
    name: &str,
    component: &Path,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<Signed> {
    let place = folder(workspace).join(name);
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    let (path, trust) = (place.join("bundle"), place.join("trust"));
    std::fs::create_dir_all(&path)?;
    signed_bundle::copy(component, &path.join("component.wasm"))?;
    fill(&path)?;
    let release = Release {
        number: 1,
        created: None,
    };
    signed_bundle::write_manifest(workspace, recipe, &release, &path, PROFILE)?;
    let public_key = place.join("publisher.pub.pem");
    signed_bundle::sign_once(workspace, &path, &public_key, PROFILE)?;
    signed_bundle::trust(workspace, recipe.publisher, &public_key, &trust, PROFILE)?;
    Ok(Signed { path, trust })
}

#[cfg(test)]
mod tests {
    use ampoule_kernels::{PackedMatrix, Precision};

    use super::*;

    #[test]
    fn the_kernels_pack_four_bits_into_as_many_bytes_as_a_product_is_said_to_read() {
        let bytes = |outputs: usize| {
            let mut packer = PackedMatrix::packer(Precision::Int4, outputs, GEMV_SIDE);
            packer.push(&vec![0.5; outputs * GEMV_SIDE]);
            packer.finish().bytes()
        };
        // Without the room at the end of a matrix, which is not read.
        let sixteenth = bytes(GEMV_SIDE / 8) - bytes(GEMV_SIDE / 16);
        assert_eq!(16 * sixteenth, four_bit_bytes(GEMV_SIDE));
    }
}
