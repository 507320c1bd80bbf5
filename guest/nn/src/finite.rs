//! Checks for numbers that are infinite or NaN.

use ampoule_guest::Error;
use ampoule_model_files::error;

/// Refuses values that are infinite or no number. Weights are a bundle's, and may be anything.
///
/// # Errors
///
/// `model.weights` when a value is infinite or no number.
pub fn finite(values: &[f32]) -> Result<(), Error> {
    if values.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(error::weights(
        "the weights make something that is no number",
    ))
}

#[cfg(test)]
mod tests {
    use super::finite;

    #[test]
    fn infinite_values_and_what_is_no_number_are_refused() {
        assert!(finite(&[]).is_ok());
        assert!(finite(&[0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE]).is_ok());
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let found = finite(&[0.0, value, 0.0]).map_err(|error| error.code);
            assert_eq!(found, Err("model.weights".to_owned()), "{value}");
        }
    }
}
