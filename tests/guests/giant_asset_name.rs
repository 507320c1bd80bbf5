//! `init` asks for a file whose name is 200 MiB long.
//!
//! Promise: what the host copies of an import's arguments is bounded, in `init` too, and no message
//! repeats such a name. Expected at load: `limit.output`.

use ampoule_test_guests::{Embeddings, Error, assets};
use ampoule_test_guests::{export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(init);
export_text_embedding!(embed);

fn init() -> Result<(), Error> {
    assets::size(&"x".repeat(200 << 20)).map(|_size| ())
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
