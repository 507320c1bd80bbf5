//! `init` reads `data.bin` at its end, which is allowed and gives nothing, and beyond it.
//!
//! Promise: an offset beyond the end is refused, whatever it is. Expected: `guest.error`, where
//! `embed` hands on the host's own `asset.out-of-range`.

use std::sync::OnceLock;

use ampoule_test_guests::{Embeddings, Error, assets};
use ampoule_test_guests::{export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(init);
export_text_embedding!(embed);

static BEYOND: OnceLock<Result<Vec<u8>, Error>> = OnceLock::new();

fn init() -> Result<(), Error> {
    let size = assets::size("data.bin")?;
    if !assets::read("data.bin", size, 16)?.is_empty() {
        return Err(ordinary::error(
            "model.test",
            "bytes found at the end of the file",
        ));
    }
    let first = assets::read("data.bin", size + 1, 16);
    let last = assets::read("data.bin", u64::MAX, u32::MAX);
    // What was given beats what was refused: both have to be refused.
    BEYOND.get_or_init(|| first.or(last));
    Ok(())
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    match BEYOND.get() {
        Some(Err(error)) => Err(error.clone()),
        Some(Ok(bytes)) => Ok(ordinary::embeddings(&texts, &[bytes.len() as f32])),
        None => Err(ordinary::error("model.test", "`init` was not called")),
    }
}
