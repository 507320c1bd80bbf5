//! `embed` logs 20,000 messages of 1 KiB and one of 1 MiB, then answers.
//!
//! Promise: the log keeps what its budget allows and counts what it drops; the answer is unharmed.
//! Expected: an answer, and a log cut at its limit.

use ampoule_test_guests::log::{self, Level};
use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let line = "flood ".repeat(171);
    for _ in 0..20_000 {
        log::write(Level::Error, &line);
    }
    log::write(Level::Warn, &"flood ".repeat(174_763));
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
