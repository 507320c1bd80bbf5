//! The task that every server gets: its texts, its request, and the turns.

use bench_engine::Numbers;
use serde_json::json;

use super::load::post;
use super::server::{MODEL, Server};
use crate::workload::Workload;

/// Tokens of each text.
pub(super) const TOKENS: [usize; 2] = [16, 128];

/// The least cosine of a vector to the right one.
pub(super) const LEAST_COSINE: f64 = 0.9999;

/// Length and number of the turns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turns {
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
}

/// Returns the workload of one text.
pub(super) fn workload(tokens: usize) -> Workload {
    Workload::Minilm {
        numbers: Numbers::F32,
        tokens,
        texts: 1,
    }
}

/// Makes a request for the vector of a text.
pub(super) fn request(server: &Server, text: &str) -> Vec<u8> {
    let body = json!({ "model": MODEL, "input": text });
    post(server.address, "/v1/embeddings", &body.to_string())
}
