//! Ranges of a network's dimensions, as its configuration has them.

use ampoule_guest::Error;

use crate::error;

/// Checks that the setting `name` of `file` is from 1 to `most`.
///
/// # Errors
///
/// `model.config` when it is not.
pub fn in_range(file: &str, name: &str, found: usize, most: usize) -> Result<(), Error> {
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(error::config(format!(
        "expected `{name}` from 1 to {most} in `{file}`, found {found}"
    )))
}

/// Checks that the heads of a layer's attention share its width evenly. `heads` is 1 or more.
///
/// # Errors
///
/// `model.config` when they do not.
pub fn shared_by_heads(file: &str, hidden_size: usize, heads: usize) -> Result<(), Error> {
    if hidden_size.is_multiple_of(heads) {
        return Ok(());
    }
    Err(error::config(format!(
        "expected a `hidden_size` that {heads} heads share evenly in `{file}`, found {hidden_size}"
    )))
}

/// Checks the number that a layer normalisation adds to the variance.
///
/// # Errors
///
/// `model.config` when it is not from 0 to 1, 1 excluded.
pub fn layer_norm_epsilon(file: &str, found: f32) -> Result<(), Error> {
    if (0.0..1.0).contains(&found) {
        return Ok(());
    }
    Err(error::config(format!(
        "expected `layer_norm_eps` from 0 to 1 in `{file}`, found {found}"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    #[test]
    fn a_dimension_out_of_range_is_named_with_its_range() {
        for found in [1, 7] {
            assert!(in_range("config.json", "hidden_size", found, 7).is_ok());
        }
        for found in [0, 8, usize::MAX] {
            let error = in_range("config.json", "hidden_size", found, 7).unwrap_err();
            assert_eq!(error.code, "model.config");
            for part in ["hidden_size", "config.json", "from 1 to 7"] {
                assert!(error.message.contains(part), "{}", error.message);
            }
        }
    }

    #[test]
    fn heads_share_a_width_evenly() {
        assert!(shared_by_heads("config.json", 12, 3).is_ok());
        assert!(shared_by_heads("config.json", 13, 3).is_err());
    }

    #[test]
    fn an_epsilon_is_a_number_below_one() {
        for found in [0.0, 1e-12, 0.5] {
            assert!(layer_norm_epsilon("config.json", found).is_ok(), "{found}");
        }
        for found in [-1e-12, 1.0, f32::INFINITY, f32::NAN] {
            assert!(layer_norm_epsilon("config.json", found).is_err(), "{found}");
        }
    }
}
