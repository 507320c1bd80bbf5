//! All that may be empty is: the architecture and the properties, and every text's vector has no
//! dimensions.
//!
//! Promise: the host divides by nothing and needs no first element. Expected: an answer without
//! values, for no texts as for many.

use ampoule_test_guests::lifecycle::ModelInfo;
use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(ordinary::init, describe);
export_text_embedding!(embed);

fn describe() -> ModelInfo {
    ModelInfo {
        architecture: String::new(),
        properties: Vec::new(),
    }
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    Ok(ordinary::embeddings(&texts, &[]))
}
