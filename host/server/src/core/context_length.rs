//! The length of a model's context, in the words by which agents recognise that they should shorten their prompt.

use ampoule::Model;

use crate::core::properties::Properties;
use crate::error::ApiError;
use crate::said::said;

/// Adds the length to an error for too much text. A model that does not state its length has it in the host's limits,
/// which the error names.
pub(crate) fn named(mut error: ApiError, model: &Model) -> ApiError {
    if error.is_too_long {
        let length = match Properties::of(model.info()).max_tokens() {
            Some(tokens) => said!("{} tokens", tokens),
            None => "exceeded".into(),
        };
        error.message = said!(
            "This model's maximum context length is {}. {}",
            length,
            error.message
        );
    }
    error
}
