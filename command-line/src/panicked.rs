//! A panic, made an error like any other.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The code of a panic.
const BUG: &str = "internal.bug";

/// A bug that ended a command's work; `internal.bug`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("internal error, please report it: the command stopped half-way")]
pub struct Panicked;

impl Panicked {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        BUG
    }
}

/// Runs a command's work, and returns a panic in it as an error.
///
/// # Errors
///
/// [`Panicked`].
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    // The process ends after this, so nobody meets what the panic has left half-done.
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_a_code() {
        assert_eq!(guarded(|| 7), Ok(7));
        let panicked = guarded(|| {
            let number: Result<i32, _> = "none".parse();
            number.unwrap()
        });
        assert_eq!(panicked, Err(Panicked));
        assert_eq!(Panicked.code(), "internal.bug");
    }
}
