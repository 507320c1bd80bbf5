//! The signing library's errors, as errors of a host: a code, a message and a way out.

use ampoule_sandbox::{BundleRefusal, Error, Result};

/// Makes a host's error of a result of the signing library.
pub(crate) trait OrRefused<T> {
    /// Returns the value, or [`Error::Bundle`].
    fn or_refused(self) -> Result<T>;
}

impl<T> OrRefused<T> for std::result::Result<T, ampoule_signing::Error> {
    fn or_refused(self) -> Result<T> {
        self.map_err(|error| Error::Bundle(refusal(&error)))
    }
}

/// Returns the code and the message of an error of the signing library.
#[must_use]
pub fn refusal(error: &ampoule_signing::Error) -> BundleRefusal {
    let refusal = BundleRefusal::new(error.code(), error.to_string());
    match error {
        ampoule_signing::Error::FileTooLarge { found, .. } => refusal.of_size(*found),
        _ => refusal,
    }
}
