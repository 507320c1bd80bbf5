//! Parameters of a request, each of the kind that it must have.

use std::time::Duration;

use ampoule::{Limit, RequestLimits};

use crate::core::limit_fields::LimitFields;
use crate::error::ApiError;
use crate::families::inference::request::{Parameter, Parameters};
use crate::said::said;

/// The parameters that [`limits`] reads.
pub(crate) const LIMIT_FIELDS: &LimitFields = &[(Limit::Deadline, "timeout")];

/// Returns a whole number.
pub(crate) fn unsigned(
    parameters: &Parameters,
    name: &'static str,
) -> Result<Option<u32>, ApiError> {
    match parameters.0.get(name) {
        None => Ok(None),
        Some(Parameter::Unsigned(value)) => u32::try_from(*value)
            .map(Some)
            .map_err(|_| wrong(name, "a number of at most 32 bits")),
        Some(_) => Err(wrong(name, "a whole number from 0")),
    }
}

/// Returns a number.
pub(crate) fn float(parameters: &Parameters, name: &'static str) -> Result<Option<f32>, ApiError> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the nearest float of 32 bits is wanted"
    )]
    match parameters.0.get(name) {
        None => Ok(None),
        Some(Parameter::Float(value)) => Ok(Some(*value as f32)),
        Some(Parameter::Unsigned(value)) => Ok(Some(*value as f32)),
        Some(Parameter::Signed(value)) => Ok(Some(*value as f32)),
        Some(_) => Err(wrong(name, "a number")),
    }
}

/// Returns the seed: negative numbers count too, each as the number that has its bits.
pub(crate) fn seed(parameters: &Parameters) -> Result<Option<u64>, ApiError> {
    match parameters.0.get("seed") {
        None => Ok(None),
        Some(Parameter::Unsigned(value)) => Ok(Some(*value)),
        Some(Parameter::Signed(value)) => Ok(Some(value.cast_unsigned())),
        Some(_) => Err(wrong("seed", "a whole number of 64 bits")),
    }
}

/// Takes texts out of the parameters. One may stand alone.
pub(crate) fn texts(
    parameters: &mut Parameters,
    name: &'static str,
) -> Result<Vec<String>, ApiError> {
    match parameters.0.remove(name) {
        None => Ok(Vec::new()),
        Some(Parameter::Text(text)) => Ok(vec![text]),
        Some(Parameter::Texts(texts)) => Ok(texts),
        Some(_) => Err(wrong(name, "a text or a list of texts")),
    }
}

/// Returns a truth value.
pub(crate) fn flag(parameters: &Parameters, name: &'static str) -> Result<Option<bool>, ApiError> {
    match parameters.0.get(name) {
        None => Ok(None),
        Some(Parameter::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(wrong(name, "true or false")),
    }
}

/// Returns the limits that the request sets for itself: `timeout`, in microseconds.
pub(crate) fn limits(parameters: &Parameters) -> Result<RequestLimits, ApiError> {
    let deadline = match parameters.0.get("timeout") {
        None | Some(Parameter::Unsigned(0)) => None,
        Some(Parameter::Unsigned(micros)) => Some(Duration::from_micros(*micros)),
        Some(_) => return Err(wrong("timeout", "a whole number of microseconds")),
    };
    Ok(RequestLimits {
        deadline,
        ..RequestLimits::default()
    })
}

fn wrong(name: &'static str, expected: &'static str) -> ApiError {
    ApiError::invalid(name, said!("`{}`: {} is expected", name, expected))
}
