//! `embed` prints 20,000 lines of 1 KiB to each of stdout and stderr, then answers.
//!
//! Promise: stdio goes to the bounded log, never to the host's own streams, and a full log does not
//! fail the guest. Expected: an answer, and a log cut at its limit.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what this guest is for"
)]

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let line = "flood ".repeat(171);
    for _ in 0..20_000 {
        println!("{line}");
        eprintln!("{line}");
    }
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
