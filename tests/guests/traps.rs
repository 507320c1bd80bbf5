//! `embed` executes `unreachable`.
//!
//! Promise: a crash of the guest is an error of one request. Expected: `guest.trap`.

// The instruction has no name on other machines.
#![cfg(target_family = "wasm")]

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(_texts: Vec<String>) -> Result<Embeddings, Error> {
    core::arch::wasm32::unreachable()
}
