//! Exports `text-embedding` without `lifecycle`.
//!
//! Promise: a component that does not keep the contract is not loaded. Expected at load:
//! `admission.task`.

use ampoule_test_guests::{Embeddings, Error, export_text_embedding, ordinary};

export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
