//! Errors about a model's files.

use ampoule_guest::Error;

/// Bytes of a message, at most. Files are a stranger's, and parsers quote them at any length.
const MAX_MESSAGE: usize = 600;

/// `model.config`: `config.json`, or another file of settings, is not one, or asks for what the guest cannot do.
pub fn config(message: impl Into<String>) -> Error {
    Error::new("model.config", bounded(message.into()))
}

/// `model.tokenizer`: `tokenizer.json` is not one, or does not fit the model.
pub fn tokenizer(message: impl Into<String>) -> Error {
    Error::new("model.tokenizer", bounded(message.into()))
}

/// `model.weights`: `model.safetensors` is not one, or does not fit `config.json`.
pub fn weights(message: impl Into<String>) -> Error {
    Error::new("model.weights", bounded(message.into()))
}

fn bounded(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters() {
        for letter in ["x", "é", "→", "🦙"] {
            let message = config(letter.repeat(1000)).message;
            assert!(message.len() <= MAX_MESSAGE + '…'.len_utf8(), "{letter}");
            assert!(message.starts_with(letter) && message.ends_with('…'));
        }
        assert_eq!(weights("short").message, "short");
    }
}
