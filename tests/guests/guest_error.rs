//! `embed` refuses the input with `input.test`, and repeats it; a text that begins with `input.` is the code itself. Given
//! the text `model`, it fails with `model.test`.
//!
//! Promise: a guest's refusal of the input is the caller's `input.*`, any other failure is
//! `guest.error`. Expected: `input.test`; `guest.error`, naming `model.test`.

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let text = texts.first().map_or("", String::as_str);
    if text == "model" {
        return Err(ordinary::error("model.test", "a layer is missing"));
    }
    let code = if text.starts_with("input.") {
        text
    } else {
        "input.test"
    };
    Err(ordinary::error(
        code,
        format!("expected a poem, found `{text}`; send a poem"),
    ))
}
