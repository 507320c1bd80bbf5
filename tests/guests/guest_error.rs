//! `embed` refuses the input with `input.test`; given the text `model`, it fails with `model.test`.
//!
//! Promise: a guest's refusal of the input is the caller's `input.*`, any other failure is
//! `guest.error`. Expected: `input.test`; `guest.error`, naming `model.test`.

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    if texts.first().is_some_and(|text| text == "model") {
        return Err(ordinary::error("model.test", "a layer is missing"));
    }
    Err(ordinary::error(
        "input.test",
        "expected a poem, found prose; send a poem",
    ))
}
