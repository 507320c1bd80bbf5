//! Making errors. The type itself is generated from `wit/types.wit`.

use crate::Error;

impl Error {
    /// Makes an error of a stable, dotted code and one sentence for a person: what was expected, what
    /// was found, what to do.
    ///
    /// Codes are open. Use `input.*` where the caller should change the request, `model.*` where
    /// the model's own files are wrong, and `unsupported` where the request is valid but this
    /// model cannot do it.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Error {
            code: code.into(),
            message: message.into(),
        }
    }
}
