//! Remembers in a state directory that a bundle was run, by its manifest: a process of its own, for the
//! tests that kill it.
//!
//! ```sh
//! cargo run -p ampoule-signing --example record_release -- STATE-DIRECTORY MANIFEST
//! ```
#![forbid(unsafe_code)]

use ampoule_signing::{Manifest, ReleaseState, Sha256Digest};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, dir, manifest] = &arguments[..] else {
        return Err("expected a state directory and a manifest".into());
    };
    let bytes = std::fs::read(manifest)?;
    let manifest = Manifest::parse(&bytes)?;
    ReleaseState::in_directory(dir).record(&manifest, Sha256Digest::of(&bytes))?;
    Ok(())
}
