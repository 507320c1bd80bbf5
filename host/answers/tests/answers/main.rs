//! Promises of the cache of answers, by what it does to whoever uses it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod apart;
mod bounded;
mod directory;
mod forgotten;
mod timing;

use ampoule_answers::{Manifest, Question, TenantAnswers};

/// A model.
const MODEL: Manifest = [7; 32];

/// Hashes a request that is one text.
fn question(tenant: &TenantAnswers, text: &str) -> Question {
    tenant.question(MODEL).part(text.as_bytes()).finish()
}

/// Finds the answer to a request that is one text.
fn find(tenant: &TenantAnswers, text: &str) -> Option<Vec<u8>> {
    tenant
        .find(&question(tenant, text))
        .map(|answer| answer.to_vec())
}

/// Keeps the answer to a request that is one text.
fn keep(tenant: &TenantAnswers, text: &str, answer: &[u8]) -> bool {
    tenant.keep(&question(tenant, text), answer)
}
