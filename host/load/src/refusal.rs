//! Conversion of the signing library's errors into errors of a host.

use ampoule_sandbox::{BundleRefusal, Error, Result};

/// Converts a result of the signing library.
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
