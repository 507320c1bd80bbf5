//! Ollama's API under `/api`.

pub(crate) mod error;
