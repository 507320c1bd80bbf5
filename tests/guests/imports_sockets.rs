//! `embed` connects to a server.
//!
//! Promise: a component that imports `wasi:sockets` is not even loaded. Expected at load:
//! `admission.import`, with the import named.

use std::net::TcpStream;

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let connected = TcpStream::connect(("127.0.0.1", 9)).is_ok();
    Ok(ordinary::embeddings(
        &texts,
        &[f32::from(u8::from(connected))],
    ))
}
