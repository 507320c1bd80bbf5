//! `embed` sleeps for an hour: the guest waits inside the host, where neither fuel nor epochs
//! count.
//!
//! Promise: a request ends at its deadline, and a sleeping one keeps no thread. Expected:
//! `limit.deadline`.

use std::time::Duration;

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    std::thread::sleep(Duration::from_secs(3_600));
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
