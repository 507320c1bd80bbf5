//! The folders of the larger libraries import one way.

use crate::rust_files;

/// Sources with their folders: each may import from itself and from those before it.
const LAYERS: [(&str, &[&str]); 2] = [
    (
        "signing/src",
        &["values", "files", "keys", "bundle", "trust", "sign"],
    ),
    (
        "host/server/src",
        &[
            "request",
            "models",
            "metrics",
            "core",
            "http",
            "protection",
            "page",
            "families",
            "connections",
        ],
    ),
];

#[test]
fn the_folders_of_a_library_import_only_to_the_left() {
    let mut wrong = Vec::new();
    for (library, layers) in LAYERS {
        for (place, folder) in layers.iter().enumerate() {
            let folder = rust_files::root().join(library).join(folder);
            let files = rust_files::below(&folder);
            assert!(!files.is_empty(), "{} is not there", folder.display());
            for path in files {
                let source = std::fs::read_to_string(&path).unwrap();
                for right in &layers[place + 1..] {
                    if imports(&source, right) {
                        wrong.push(format!("{}: {right}", rust_files::name(&path)));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Tells whether code, other than comments, names the folder.
fn imports(source: &str, folder: &str) -> bool {
    let code = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let nested = format!("    {folder}::");
    let direct = format!("crate::{folder}::");
    code.into_iter()
        .any(|line| line.contains(&direct) || line.starts_with(&nested))
}

#[test]
fn an_import_to_the_right_is_seen_and_a_comment_is_none() {
    assert!(imports("use crate::trust::store::TrustStore;", "trust"));
    assert!(imports(
        "use crate::{\n    trust::store::TrustStore,\n};",
        "trust"
    ));
    assert!(!imports("// see crate::trust::store", "trust"));
    assert!(!imports("use crate::values::error::Error;", "trust"));
}
