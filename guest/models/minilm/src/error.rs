//! What can be wrong with the model's files.

use ampoule_guest::Error;

/// `config.json` is not one, or asks for what this guest cannot do.
pub(crate) fn config(message: impl Into<String>) -> Error {
    Error::new("model.config", message)
}

/// `tokenizer.json` is not one, or does not fit the model.
pub(crate) fn tokenizer(message: impl Into<String>) -> Error {
    Error::new("model.tokenizer", message)
}

/// `model.safetensors` is not one, or does not fit `config.json`.
pub(crate) fn weights(message: impl Into<String>) -> Error {
    Error::new("model.weights", message)
}
