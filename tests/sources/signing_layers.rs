//! The folders of the signing library import one way.

use crate::rust_files;

/// The folders of `signing/src`: each may import from itself and from those before it.
const LAYERS: [&str; 6] = ["values", "files", "keys", "bundle", "trust", "sign"];

#[test]
fn the_folders_of_the_signing_library_import_only_to_the_left() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for (place, folder) in LAYERS.iter().enumerate() {
        let folder = rust_files::root().join("signing/src").join(folder);
        for path in rust_files::below(&folder) {
            let source = std::fs::read_to_string(&path).unwrap();
            read += 1;
            for right in &LAYERS[place + 1..] {
                if imports(&source, right) {
                    wrong.push(format!("{}: {right}", rust_files::name(&path)));
                }
            }
        }
    }
    assert!(read > LAYERS.len(), "the folders are where they were");
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
