//! Refuses circles of imports between the files of a crate.
//!
//! Files are read as tokens, so that paths inside macros count and those in comments and texts do not. A name is
//! followed through re-exports to the file that defines it: a parent that only re-exports its child's items is no
//! circle when the child uses a sibling through it. Code under `#[cfg(test)]` does not count.

mod crate_files;
mod graph;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::rust_sources;
use crate::workspace::Workspace;

use crate_files::Crate;
use graph::Graph;

/// Folders of the crates that are checked.
const FOLDERS: &[&str] = &[
    "bench/driver",
    "command-line",
    "guest",
    "host",
    "manual",
    "signing",
    "tests/src",
    "xtask",
];

/// Folders, or files, whose circles are still to be undone. A circle that touches one of them is not refused.
const NOT_YET_CLEAN: &[&str] = &["guest", "host", "manual", "signing", "tests/src", "xtask"];

/// Fails with every circle and the names that tie it.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut circles = Vec::new();
    for root in crate_roots(workspace)? {
        let read = Crate::read(&root, |path| workspace.relative(path))?;
        let found = Graph::of(&read).circles();
        circles.extend(
            found
                .into_iter()
                .filter(|circle| !circle.touches(NOT_YET_CLEAN)),
        );
    }
    let texts: Vec<_> = circles.iter().map(ToString::to_string).collect();
    ensure!(
        circles.is_empty(),
        "files import each other in a circle; move what they share into a file below both:\n{}",
        texts.join("\n")
    );
    Ok(())
}

/// The root files of libraries and programs in the folders that are checked.
fn crate_roots(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut roots = Vec::new();
    for folder in FOLDERS.iter().map(|folder| workspace.root().join(folder)) {
        if folder.is_dir() {
            let sources = rust_sources::below(&folder)?;
            roots.extend(sources.into_iter().filter(|path| is_crate_root(path)));
        }
    }
    Ok(roots)
}

/// True for `src/lib.rs`, `src/main.rs`, `src/bin/NAME.rs` and `src/bin/NAME/main.rs`.
fn is_crate_root(path: &Path) -> bool {
    let Some((folder, name)) = path.parent().zip(path.file_name()) else {
        return false;
    };
    let is_main = name == "main.rs";
    (folder.ends_with("src") && (is_main || name == "lib.rs"))
        || folder.ends_with("src/bin")
        || (is_main
            && folder
                .parent()
                .is_some_and(|above| above.ends_with("src/bin")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_files_import_each_other_in_a_circle() {
        check(&Workspace::load().unwrap()).unwrap();
    }

    #[test]
    fn libraries_and_programs_are_found_and_their_modules_are_not() {
        let workspace = Workspace::load().unwrap();
        let roots = crate_roots(&workspace).unwrap();
        let roots: Vec<_> = roots.iter().map(|path| workspace.relative(path)).collect();
        for root in [
            "host/runtime/src/lib.rs",
            "host/cli/src/main.rs",
            "xtask/src/main.rs",
        ] {
            assert!(roots.iter().any(|found| found == root), "{root}: {roots:?}");
        }
        assert!(
            !roots.iter().any(|found| found.ends_with("/mod.rs")),
            "{roots:?}"
        );
    }
}
