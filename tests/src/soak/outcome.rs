//! The outcome of one step of a caller.

use ampoule::Error;

/// The name that a right step is counted under, or the description of a wrong one.
pub(super) type Outcome = Result<String, String>;

/// Describes an error where there should have been none.
pub(super) fn wrong(what: &str) -> impl Fn(Error) -> String {
    move |error| format!("{what}: {}: {error}", error.code())
}

/// Counts a request that failed with one of these codes.
pub(super) fn stopped(what: &str, error: Option<Error>, codes: &[&str]) -> Outcome {
    match error {
        Some(error) if codes.contains(&error.code()) => Ok(format!("{what}: {}", error.code())),
        Some(error) => Err(format!(
            "{what}: {} instead of {codes:?}: {error}",
            error.code()
        )),
        None => Err(format!("{what}: an answer instead of {codes:?}")),
    }
}
