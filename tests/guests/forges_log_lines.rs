//! `embed` logs messages that try to pass for something else: new lines, terminal escapes, control
//! and bidirectional characters; then it answers.
//!
//! Promise: what an operator reads of a guest is labelled and harmless. Expected: an answer, and a
//! log without a raw control character.

use ampoule_test_guests::log::{self, Level};
use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    log::write(Level::Info, "done\nERROR host: the signing key has leaked");
    log::write(Level::Info, "\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{9b}31m");
    log::write(
        Level::Info,
        "null \0, override \u{202e}drowssap\u{202c}, line \u{2028}",
    );
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
