//! Finds the Rust sources of the repository.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Folders that hold no sources of ours.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// Lists all `.rs` files below `folder`, sorted. Hidden folders and build output are skipped.
pub(crate) fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(folder, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let doing = || format!("cannot list {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(doing)? {
        let entry = entry.with_context(doing)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&&*name) {
                collect(&path, found)?;
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    Ok(())
}
