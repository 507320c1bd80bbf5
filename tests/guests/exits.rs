//! `embed` ends its program, with success.
//!
//! Promise: an exit without an answer is no answer. Expected: `guest.trap`.

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding};

export_lifecycle!();
export_text_embedding!(embed);

#[expect(clippy::exit, reason = "that is the attack")]
fn embed(_texts: Vec<String>) -> Result<Embeddings, Error> {
    std::process::exit(0)
}
