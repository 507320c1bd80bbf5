//! `embed` reads `data.bin`, which `init` could read.
//!
//! Promise: assets answer only while `init` runs. Expected: `guest.error`, where `embed` hands on
//! the host's own `asset.closed`; `size` and `read` both have to be refused.

use ampoule_test_guests::{Embeddings, Error, assets};
use ampoule_test_guests::{export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(init);
export_text_embedding!(embed);

fn init() -> Result<(), Error> {
    assets::size("data.bin").map(|_size| ())
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    match (assets::size("data.bin"), assets::read("data.bin", 0, 16)) {
        (Err(_), Err(error)) => Err(error),
        (size, bytes) => Ok(ordinary::embeddings(
            &texts,
            &[
                size.unwrap_or(0) as f32,
                bytes.unwrap_or_default().len() as f32,
            ],
        )),
    }
}
