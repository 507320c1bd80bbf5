//! `init` says that the model's files are wrong.
//!
//! Promise: a model that cannot be made ready is not loaded, and its own words say why. Expected
//! at load: `guest.error`, naming `model.test`.

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(init);
export_text_embedding!(embed);

fn init() -> Result<(), Error> {
    Err(ordinary::error(
        "model.test",
        "expected weights, found none; sign the bundle again with them",
    ))
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
