//! The check of the errors that hostile guests are stopped with.

use ampoule::Error;

/// Checks that each error has one of the codes, and that each code came.
#[track_caller]
pub(crate) fn assert_codes(errors: impl IntoIterator<Item = Error>, codes: &[&str]) {
    let errors: Vec<Error> = errors.into_iter().collect();
    for error in &errors {
        let code = error.code();
        assert!(
            codes.contains(&code),
            "{code} came, {codes:?} was expected: {error}"
        );
    }
    for code in codes {
        assert!(
            errors.iter().any(|error| error.code() == *code),
            "{code} never came"
        );
    }
}
