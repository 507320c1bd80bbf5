//! `embed` answers with the number of its environment variables, of its arguments, and of the bytes
//! on its standard input.
//!
//! Promise: a guest learns nothing of the host's surroundings. Expected: an answer of
//! `[0.0, 0.0, 0.0]`.

use std::io::Read;

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let variables = std::env::vars_os().count();
    let arguments = std::env::args_os().count();
    let mut input = Vec::new();
    // An error is as good as an end: what counts is what was read before it.
    let _ = std::io::stdin().read_to_end(&mut input);
    Ok(ordinary::embeddings(
        &texts,
        &[variables as f32, arguments as f32, input.len() as f32],
    ))
}
