//! `init` reads 4 GiB of `data.bin` at once; `embed` answers with the bytes it got.
//!
//! Promise: the host clamps a read to its own cap and to the file. Expected: an answer with the
//! smaller of the two, in bytes.

use std::sync::OnceLock;

use ampoule_test_guests::{Embeddings, Error, assets};
use ampoule_test_guests::{export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(init);
export_text_embedding!(embed);

static GOT: OnceLock<usize> = OnceLock::new();

fn init() -> Result<(), Error> {
    let bytes = assets::read("data.bin", 0, u32::MAX)?;
    GOT.get_or_init(|| bytes.len());
    Ok(())
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let got = GOT
        .get()
        .ok_or_else(|| ordinary::error("model.test", "`init` was not called"))?;
    Ok(ordinary::embeddings(&texts, &[*got as f32]))
}
