//! What can be wrong with a model's files.

use ampoule_guest::Error;

/// `model.config`: `config.json` is not one, or asks for what the guest cannot do.
pub fn config(message: impl Into<String>) -> Error {
    Error::new("model.config", message)
}

/// `model.tokenizer`: `tokenizer.json` is not one, or does not fit the model.
pub fn tokenizer(message: impl Into<String>) -> Error {
    Error::new("model.tokenizer", message)
}

/// `model.weights`: `model.safetensors` is not one, or does not fit `config.json`.
pub fn weights(message: impl Into<String>) -> Error {
    Error::new("model.weights", message)
}
