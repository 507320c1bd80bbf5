//! The signed bundles that Ampoule runs here.

use std::ffi::OsStr;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bench_engine::{Rotation, Signed, matrix_value};

use crate::reference::{GEMV_SIDE, bandwidth_bytes, four_bit_bytes};
use crate::repository::Repository;
use crate::signing::{self, Recipe};

/// The encoder with its weights in integers of eight bits.
const MINILM_INT8: Recipe = Recipe {
    name: "minilm-int8",
    tasks: &["text-embedding", "text-tokenization"],
    description: "all-MiniLM-L6-v2 in integers of eight bits",
    limits: &[],
    capabilities: &["host-kernels"],
};

/// A guest that multiplies and does nothing else.
const MULTIPLIER: Recipe = Recipe {
    name: "multiplier",
    tasks: &["text-embedding"],
    description: "Matrix products",
    limits: &[],
    capabilities: &[],
};

/// The multiplying guest with many large matrices, in as much memory as 32 bits address.
const ROTATION: Recipe = Recipe {
    name: "rotation",
    description: "Matrices of four bits by turns",
    limits: &["--memory", "4095MiB", "--init-memory", "4095MiB"],
    capabilities: &["host-kernels"],
    ..MULTIPLIER
};

/// Memory that [`ROTATION`] asks for.
const ROTATION_MEMORY: u64 = 4095 << 20;

/// Bytes of it that all matrices may take.
const MOST_MATRICES: usize = 3 << 30;

/// Files of a bundle that signing it makes.
const MADE_BY_SIGNING: [&str; 2] = ["ampoule.dsse.json", "manifest.json"];

/// Makes a bundle of all-MiniLM-L6-v2. Its guest, its weights and the commands are there after.
pub(crate) fn encoder(repository: &Repository) -> Result<Signed> {
    let place = repository.output().join("minilm");
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    let signed = Signed {
        path: place.join("bundle"),
        trust: place.join("trust"),
    };
    let bundle = ["bundle", "minilm", "--out"].map(OsStr::new);
    repository.xtask(bundle.into_iter().chain([signed.path.as_os_str()]))?;
    Ok(signed)
}

/// Makes the same bundle with weights in integers of eight bits.
pub(crate) fn encoder_in_int8(repository: &Repository, encoder: &Signed) -> Result<Signed> {
    let place = repository.output().join("minilm-int8");
    signing::make(repository, &MINILM_INT8, &place, |folder| {
        copy_unsigned(&encoder.path, folder)?;
        std::fs::write(folder.join("ampoule.json"), "{\"weights\": \"int8\"}")?;
        Ok(())
    })
}

/// Makes a bundle of the guest that multiplies.
pub(crate) fn multiplier(repository: &Repository) -> Result<Signed> {
    let component = multiplying_component(repository)?;
    let place = repository.output().join("multiplier");
    signing::make(repository, &MULTIPLIER, &place, |folder| {
        copy(&component, &folder.join("component.wasm"))
    })
}

/// Makes a bundle of that guest with more matrices of four bits than the caches hold.
pub(crate) fn rotation(repository: &Repository) -> Result<Rotation> {
    let component = multiplying_component(repository)?;
    let bytes = bandwidth_bytes().min(MOST_MATRICES);
    let copies = bytes.div_ceil(four_bit_bytes(GEMV_SIDE));
    let place = repository.output().join("rotation");
    let bundle = signing::make(repository, &ROTATION, &place, |folder| {
        copy(&component, &folder.join("component.wasm"))?;
        let config = format!("{GEMV_SIDE} {GEMV_SIDE} {copies}");
        std::fs::write(folder.join("matrices.txt"), config)?;
        write_matrix(&folder.join("matrix.f32"))
    })?;
    Ok(Rotation {
        side: GEMV_SIDE,
        bundle,
        memory: ROTATION_MEMORY,
    })
}

fn multiplying_component(repository: &Repository) -> Result<PathBuf> {
    repository.build_commands()?;
    repository.build_test_guest("multiplies_matrices")
}

/// Writes the matrix that engines multiply with, in little-endian binary32.
fn write_matrix(path: &Path) -> Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for index in 0..GEMV_SIDE * GEMV_SIDE {
        file.write_all(&matrix_value(index).to_le_bytes())?;
    }
    Ok(file.flush()?)
}

/// Copies a bundle's files, without those that signing it made.
fn copy_unsigned(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if path.is_dir() {
            copy_unsigned(&path, &to.join(name))?;
        } else if !MADE_BY_SIGNING.iter().any(|made| name == *made) {
            copy(&path, &to.join(name))?;
        }
    }
    Ok(())
}

/// Copies a file.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_bundle_has_its_files_in_folders_and_no_signature() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::create_dir_all(from.join("1_Pooling")).unwrap();
        for name in [
            "component.wasm",
            "ampoule.dsse.json",
            "manifest.json",
            "1_Pooling/config.json",
        ] {
            std::fs::write(from.join(name), name).unwrap();
        }
        copy_unsigned(&from, &to).unwrap();
        assert!(to.join("component.wasm").is_file() && to.join("1_Pooling/config.json").is_file());
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 2);
    }
}
