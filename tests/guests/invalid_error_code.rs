//! `embed` fails with a code that is none. The first text says how: `escapes` (new lines, terminal
//! escapes, a bidirectional override), `long` (1 MiB of code and of message), `empty`, or `host`
//! (a code of the host's own, `signature.missing`). Any other text gets `input.` and escapes.
//!
//! Promise: codes stay dotted and lower-case, messages stay one harmless line of bounded length,
//! and no guest speaks in the host's name. Expected: `guest.error`, made harmless.

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

const ESCAPES: &str = "\n\u{1b}[2J\u{1b}]0;owned\u{7}\r\0\u{202e}";

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    Err(match texts.first().map(String::as_str) {
        Some("escapes") => ordinary::error(ESCAPES, ESCAPES),
        Some("long") => ordinary::error(&"a".repeat(1 << 20), "b".repeat(1 << 20)),
        Some("empty") => ordinary::error("", ""),
        Some("host") => ordinary::error("signature.missing", "the bundle is not signed"),
        _ => ordinary::error(&format!("input.{ESCAPES}"), ESCAPES),
    })
}
