//! Fields by which a caller asks for what is not done here. To ignore them would give another answer than was asked for.

use serde_json::Value;

use crate::error::ApiError;

/// Values with which a field asks for nothing. `null` always does, and is read as absence.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Neutral {
    /// No value.
    Absent,
    False,
    Zero,
    One,
    /// An empty text, list or object.
    Empty,
    /// `none` and `auto`.
    NoneOrAuto,
    /// An object of the type `text`.
    TypeText,
    /// A list of `text` and nothing else.
    ListOfText,
}

impl Neutral {
    fn includes(self, value: &Value) -> bool {
        match self {
            Self::Absent => false,
            Self::False => *value == Value::Bool(false),
            Self::Zero => value.as_f64() == Some(0.0),
            Self::One => value.as_f64() == Some(1.0),
            Self::Empty => match value {
                Value::String(text) => text.is_empty(),
                Value::Array(list) => list.is_empty(),
                Value::Object(object) => object.is_empty(),
                _ => false,
            },
            Self::NoneOrAuto => matches!(value.as_str(), Some("none" | "auto")),
            Self::TypeText => value.get("type").and_then(Value::as_str) == Some("text"),
            Self::ListOfText => value
                .as_array()
                .is_some_and(|list| list.iter().all(|item| item == "text")),
        }
    }
}

/// Refuses the first of these fields that asks for something: its name, its value, the values that ask for nothing, and
/// the reason.
pub(crate) fn check(
    fields: &[(&'static str, &Option<Value>, Neutral, &str)],
) -> Result<(), ApiError> {
    let asks = |(_, value, neutral, _): &&(_, &Option<Value>, Neutral, _)| {
        value.as_ref().is_some_and(|value| !neutral.includes(value))
    };
    match fields.iter().find(asks) {
        Some((name, _, _, reason)) => {
            let message = format!("`{name}`: {reason}; leave it out");
            Err(ApiError::unsupported(*name, message))
        }
        None => Ok(()),
    }
}
