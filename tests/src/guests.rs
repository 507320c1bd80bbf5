//! Built guests and weights.

use std::path::{Path, PathBuf};

/// Returns a path below the workspace's root.
#[must_use]
pub fn workspace_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies in the workspace")
        .join(path)
}

/// Reads the component of the test guest `name`, as `cargo xtask guests` built it.
///
/// # Panics
///
/// If it is not built: a test that skips proves nothing.
#[must_use]
pub fn test_guest(name: &str) -> Vec<u8> {
    read(&format!(
        "target/guests/wasm32-wasip2/guest/examples/{name}.wasm"
    ))
}

/// Reads the component of the package whose library is `name`, as `cargo xtask guests` built it.
///
/// # Panics
///
/// If it is not built: a test that skips proves nothing.
#[must_use]
pub fn package_guest(name: &str) -> Vec<u8> {
    read(&format!("target/guests/wasm32-wasip2/guest/{name}.wasm"))
}

/// Assembles the component of the text-format guest `name`.
///
/// # Panics
///
/// If the file is not there or is not WebAssembly text.
#[must_use]
pub fn wat_guest(name: &str) -> Vec<u8> {
    wat_guest_with(name, "")
}

/// Assembles the component of the text-format guest `name` with `more` at its end. The line
/// `;; contract: text-embedding` in it stands for the file of that name among `contracts`.
///
/// # Panics
///
/// If the file is not there, or it is not WebAssembly text with that at its end.
#[must_use]
pub fn wat_guest_with(name: &str, more: &str) -> Vec<u8> {
    let read_text = |path: &str| {
        let path = workspace_file(&format!("tests/guests/wat/{path}.wat"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let mut text = read_text(name);
    for task in ["text-embedding", "image-classification", "text-generation"] {
        let line = format!("  ;; contract: {task}\n");
        if text.contains(&line) {
            text = text.replace(&line, &read_text(&format!("contracts/{task}")));
        }
    }
    let end = text
        .rfind(')')
        .expect("a component ends with a parenthesis");
    text.insert_str(end, more);
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Reads the component of the BERT encoder, as `cargo xtask guests` built it.
///
/// # Panics
///
/// If it is not built.
#[must_use]
pub fn minilm() -> Vec<u8> {
    read("target/guests/wasm32-wasip2/guest/ampoule_minilm.wasm")
}

/// Reads the component of the built-in model, as `cargo xtask guests` built it from the source.
///
/// # Panics
///
/// If it is not built.
#[must_use]
pub fn tiny_vlm() -> Vec<u8> {
    read("target/guests/wasm32-wasip2/guest/ampoule_tiny_vlm.wasm")
}

/// Returns the directory of the MiniLM weights, as `cargo xtask weights` fetched them.
///
/// # Panics
///
/// If they are not there.
#[must_use]
pub fn minilm_weights() -> PathBuf {
    let path = workspace_file("target/weights/minilm");
    assert!(
        path.join("model.safetensors").is_file() && path.join("modules.json").is_file(),
        "the MiniLM weights are missing; run `cargo xtask weights`"
    );
    path
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(workspace_file(path))
        .unwrap_or_else(|error| panic!("{path}: {error}; run `cargo xtask guests`"))
}
