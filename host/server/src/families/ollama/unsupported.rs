//! Fields of requests that no model here can act on.

use serde_json::Value;

use crate::error::ApiError;

/// Refuses a field, unless it says nothing: `null`, `false`, or an empty text, list or object.
pub(crate) fn refuse(
    field: &'static str,
    value: Option<&Value>,
    why: &str,
) -> Result<(), ApiError> {
    let says_nothing = match value {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::Bool(true) | Value::Number(_)) => false,
    };
    if says_nothing {
        return Ok(());
    }
    Err(ApiError::unsupported(
        field,
        format!("`{field}`: {why}; leave it out"),
    ))
}

/// Refuses an option, unless it has the value at which it changes nothing.
pub(crate) fn refuse_unless(
    field: &'static str,
    value: Option<f64>,
    without_effect: f64,
) -> Result<(), ApiError> {
    match value {
        Some(value) if value.total_cmp(&without_effect).is_ne() => {
            let message = format!(
                "`{field}`: models here sample by temperature, top_p and top_k alone; leave it out, or say {without_effect}"
            );
            Err(ApiError::unsupported(field, message))
        }
        _ => Ok(()),
    }
}
