//! Fields by which a caller asks for what is not done here. To ignore them would give another answer than was asked for.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::said::{Said, said};

/// The fields of an object that its type does not name.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Rest(Map<String, Value>);

/// A field that is refused where it asks for something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsupported {
    name: &'static str,
    neutral: Neutral,
    /// The reason, for people.
    reason: &'static str,
}

/// Makes a row of a table.
pub(crate) const fn field(
    name: &'static str,
    neutral: Neutral,
    reason: &'static str,
) -> Unsupported {
    Unsupported {
        name,
        neutral,
        reason,
    }
}

/// Values with which a field asks for nothing. `null` always does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Neutral {
    /// No value.
    Absent,
    /// False, and an empty text, list or object.
    Empty,
    Zero,
    One,
    /// `none` and `auto`.
    NoneOrAuto,
    /// An object of the type `text`.
    TypeText,
    /// A list of this text and nothing else, or an empty one.
    ListOf(&'static str),
}

impl Neutral {
    fn includes(self, value: &Value) -> bool {
        match self {
            Self::Absent => false,
            Self::Empty => match value {
                Value::Bool(is_wanted) => !is_wanted,
                Value::String(text) => text.is_empty(),
                Value::Array(list) => list.is_empty(),
                Value::Object(object) => object.is_empty(),
                Value::Null | Value::Number(_) => false,
            },
            Self::Zero => value.as_f64() == Some(0.0),
            Self::One => value.as_f64() == Some(1.0),
            Self::NoneOrAuto => matches!(value.as_str(), Some("none" | "auto")),
            Self::TypeText => value.get("type").and_then(Value::as_str) == Some("text"),
            Self::ListOf(text) => value
                .as_array()
                .is_some_and(|list| list.iter().all(|item| item == text)),
        }
    }
}

impl Rest {
    /// Refuses the first of these fields that asks for something. Of two of one name, the first counts. `at` is the path of
    /// the object with its dot, or empty.
    pub(crate) fn check<'t>(
        &self,
        at: impl Into<Said>,
        table: impl IntoIterator<Item = &'t Unsupported>,
    ) -> Result<(), ApiError> {
        let (at, mut seen) = (at.into(), Vec::new());
        for field in table {
            let asks = |value: &&Value| !value.is_null() && !field.neutral.includes(value);
            let is_first = !seen.contains(&field.name);
            seen.push(field.name);
            if is_first && self.0.get(field.name).filter(asks).is_some() {
                let param = said!("{}{}", at, field.name);
                let message = said!("`{}`: {}; leave it out", param, field.reason);
                return Err(ApiError::unsupported(param, message));
            }
        }
        Ok(())
    }
}
