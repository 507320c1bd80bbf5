//! `wasi:filesystem` with no file in it.
//!
//! Crates such as tokenizers link against the interface without using it, so it must exist. A guest that lists its
//! directories finds none. Every other function needs a handle, of which there are none, so calling it is a trap.

use wasmtime::component::{Linker, ResourceType, Val};

use crate::contract::WASI_VERSION;

/// A type without values, for `descriptor` and `directory-entry-stream`.
struct Nothing;

/// The functions of `wasi:filesystem/types` 0.2.
const FUNCTIONS: [&str; 29] = [
    "[method]descriptor.read-via-stream",
    "[method]descriptor.write-via-stream",
    "[method]descriptor.append-via-stream",
    "[method]descriptor.advise",
    "[method]descriptor.sync-data",
    "[method]descriptor.get-flags",
    "[method]descriptor.get-type",
    "[method]descriptor.set-size",
    "[method]descriptor.set-times",
    "[method]descriptor.read",
    "[method]descriptor.write",
    "[method]descriptor.read-directory",
    "[method]descriptor.sync",
    "[method]descriptor.create-directory-at",
    "[method]descriptor.stat",
    "[method]descriptor.stat-at",
    "[method]descriptor.set-times-at",
    "[method]descriptor.link-at",
    "[method]descriptor.open-at",
    "[method]descriptor.readlink-at",
    "[method]descriptor.remove-directory-at",
    "[method]descriptor.rename-at",
    "[method]descriptor.symlink-at",
    "[method]descriptor.unlink-file-at",
    "[method]descriptor.is-same-object",
    "[method]descriptor.metadata-hash",
    "[method]descriptor.metadata-hash-at",
    "[method]directory-entry-stream.read-directory-entry",
    "filesystem-error-code",
];

/// Puts the empty file system into a linker.
pub(super) fn add_to_linker<T: 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&format!("wasi:filesystem/types@{WASI_VERSION}"))?;
    for resource in ["descriptor", "directory-entry-stream"] {
        types.resource(resource, ResourceType::host::<Nothing>(), |_, _| {
            Err(refusal("a handle of it"))
        })?;
    }
    for function in FUNCTIONS {
        types.func_new(function, move |_, _, _, _| Err(refusal(function)))?;
    }
    linker
        .instance(&format!("wasi:filesystem/preopens@{WASI_VERSION}"))?
        .func_new("get-directories", |_, _, _, results| {
            if let Some(result) = results.first_mut() {
                *result = Val::List(Vec::new());
            }
            Ok(())
        })
}

fn refusal(what: &str) -> wasmtime::Error {
    wasmtime::Error::msg(format!(
        "the guest used the file system ({what}), and a sandbox has none"
    ))
}
