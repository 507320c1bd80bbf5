//! Checks of inputs before they are put to a model.

use ampoule::{InputChecks as _, Model, Task};

use crate::core::place::Place;
use crate::core::properties::Properties;
use crate::error::ApiError;
use crate::request::context::Context;
use crate::said::{Said, said};

/// Checks that the model does the task for this caller, and that the host takes each text.
///
/// # Errors
///
/// `usage.task`, and `input.too-large` for a text of more characters than the host takes.
pub(crate) fn check_texts(
    task: Task,
    model: &Model,
    context: &Context,
    texts: &[String],
    place: Place<'_>,
) -> Result<(), ApiError> {
    context.check_task(task, model)?;
    for (index, text) in texts.iter().enumerate() {
        if model.limits().check_text(text).is_err() {
            let allowed = model.limits().text_chars;
            let read = match Properties::of(model.info()).max_tokens() {
                Some(tokens) => said!(", and the model reads {} tokens", tokens),
                None => Said::default(),
            };
            let param = place.item(index);
            let message = said!(
                "`{}`: a text of {} characters was found; a text may have {} here{}; shorten it",
                param,
                text.chars().count(),
                allowed,
                read
            );
            return Err(ApiError::too_long(param, message));
        }
    }
    Ok(())
}

/// Makes the refusal of a text of which the model reads only the beginning. `way_out` follows "shorten it".
pub(crate) fn longer_than_read(model: &Model, param: Said, way_out: &'static str) -> ApiError {
    let tokens = match Properties::of(model.info()).max_tokens() {
        Some(tokens) => said!(", {} tokens", tokens),
        None => Said::default(),
    };
    // Clients look for these words: "exceeds the context length".
    let message = said!(
        "`{}`: the input length exceeds the context length of the model{}; shorten it{}",
        param,
        tokens,
        way_out
    );
    ApiError::too_long(param, message)
}
