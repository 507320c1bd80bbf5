//! Circles of imports between the files of a crate.
//!
//! Files are read as tokens, so that paths inside macros count and those in comments and texts do not. A name is
//! followed through re-exports to the file that defines it: a parent that only re-exports its child's items is no
//! circle when the child uses a sibling through it. Code under `#[cfg(test)]` does not count.

mod crate_files;
mod examples;
mod graph;

use std::path::{Path, PathBuf};

use crate::rust_files;

use crate_files::Crate;
use graph::Graph;

/// Folders of the crates that are checked.
const FOLDERS: &[&str] = &[
    "bench/driver",
    "command-line",
    "guest",
    "host",
    "signing",
    "tests/src",
    "xtask",
];

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for root in crate_roots() {
        let read = Crate::read(&root, &rust_files::name);
        circles.extend(Graph::of(&read).circles());
    }
    let texts: Vec<_> = circles.iter().map(ToString::to_string).collect();
    assert!(
        circles.is_empty(),
        "move what these files share into a file below them:\n{}",
        texts.join("\n")
    );
}

#[test]
fn libraries_and_programs_are_found_and_their_modules_are_not() {
    let roots: Vec<_> = crate_roots()
        .iter()
        .map(|path| rust_files::name(path))
        .collect();
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

/// The root files of libraries and programs in the folders that are checked.
fn crate_roots() -> Vec<PathBuf> {
    let mut roots = Vec::new();
    for folder in FOLDERS.iter().map(|folder| rust_files::root().join(folder)) {
        if folder.is_dir() {
            let sources = rust_files::below(&folder);
            roots.extend(sources.into_iter().filter(|path| is_crate_root(path)));
        }
    }
    roots
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
