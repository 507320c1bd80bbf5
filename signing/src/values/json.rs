//! Strict JSON: text that two parsers could read differently is refused.
//!
//! Objects may not repeat a key, numbers are whole and at most 2^53 − 1 (what a double holds
//! exactly), nothing follows the document, and a structure is an object, never an array.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use ampoule_units::ParseError;

use crate::values::error::Error;
use ampoule_units::text;

/// The largest number: 2^53 − 1, beyond which JavaScript and its like round.
pub(crate) const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The reason why a document was not read. The error does not name the document. No conversion into [`Error`] exists,
/// so a reader cannot forget to add the name.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It is not strict JSON.
    Malformed {
        /// A description of what was expected and what was found.
        reason: String,
    },
    /// A field is missing, unknown or has a value that it may not have.
    Field {
        /// The field, by its path: `limits.init.fuel`, `files[3].size`.
        field: String,
        /// A description of what was expected and what was found.
        reason: String,
    },
    /// An error of another family, such as a weak key or a path.
    Other(Error),
}

/// A result whose error is [`ReadError`].
pub(crate) type Result<T, E = ReadError> = std::result::Result<T, E>;

impl ReadError {
    /// A field has a value that it may not have.
    pub(crate) fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Explains why bytes are no JSON. Some editors put an invisible mark before a text that tells its encoding (Unicode,
/// section 23.8); JSON allows none (RFC 8259, section 8.1).
pub(crate) fn why_malformed(bytes: &[u8], error: &serde_json::Error) -> String {
    let mark = if bytes.starts_with(b"\xef\xbb\xbf") {
        "it begins with a byte order mark"
    } else if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        "it is text in UTF-16"
    } else {
        return text::sentence(&error.to_string());
    };
    format!("{mark}; save it as UTF-8 without a mark")
}

/// A JSON document in memory.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool,
    Integer(u64),
    String(String),
    Array(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// Parses a whole document. Nesting is bounded by `serde_json` (128 levels).
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| ReadError::Malformed {
            reason: why_malformed(bytes, &error),
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Integer(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    fn expected(&self, what: &str, field: &str) -> ReadError {
        ReadError::field(
            text::name(field),
            format!("expected {what}, found {}", self.kind()),
        )
    }

    pub(crate) fn integer(self, field: &str) -> Result<u64> {
        match self {
            Self::Integer(number) => Ok(number),
            other => Err(other.expected("a number", field)),
        }
    }

    /// A number that is not zero.
    pub(crate) fn positive(self, field: &str) -> Result<u64> {
        match self.integer(field)? {
            0 => Err(ReadError::field(
                field,
                "expected a number above 0, found 0",
            )),
            number => Ok(number),
        }
    }

    pub(crate) fn string(self, field: &str) -> Result<String> {
        match self {
            Self::String(text) => Ok(text),
            other => Err(other.expected("a string", field)),
        }
    }

    pub(crate) fn array(self, field: &str) -> Result<Vec<Self>> {
        match self {
            Self::Array(items) => Ok(items),
            other => Err(other.expected("an array", field)),
        }
    }

    pub(crate) fn object(self, field: &str) -> Result<BTreeMap<String, Self>> {
        match self {
            Self::Object(members) => Ok(members),
            other => Err(other.expected("an object", field)),
        }
    }
}

/// A structure that is being read. Each field is taken out once, and none may be left over.
pub(crate) struct Fields {
    /// The path of the structure, as a prefix for the names of its fields: empty, or `limits.init.`.
    prefix: String,
    members: BTreeMap<String, Value>,
}

impl Fields {
    /// The fields of the structure at `field`; the document itself is at the empty field.
    pub(crate) fn of(value: Value, field: &str) -> Result<Self> {
        let prefix = if field.is_empty() {
            String::new()
        } else {
            format!("{field}.")
        };
        let members = value.object(if field.is_empty() {
            "(all of it)"
        } else {
            field
        })?;
        Ok(Self { prefix, members })
    }

    /// Takes a field that must be there; `read` gets its value and its full name.
    pub(crate) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value, &str) -> Result<T>,
    ) -> Result<T> {
        self.optional(name, read)?
            .ok_or_else(|| ReadError::field(format!("{}{name}", self.prefix), "it is missing"))
    }

    /// Takes a field that may be left out (but not be `null`: that would be a second spelling).
    pub(crate) fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value, &str) -> Result<T>,
    ) -> Result<Option<T>> {
        let full_name = format!("{}{name}", self.prefix);
        self.members
            .remove(name)
            .map(|value| read(value, &full_name))
            .transpose()
    }

    /// Refuses fields that were not taken.
    pub(crate) fn finish(self) -> Result<()> {
        match self.members.into_keys().next() {
            Some(name) => Err(ReadError::field(
                text::name(&format!("{}{name}", self.prefix)),
                "this version of Ampoule knows no such field",
            )),
            None => Ok(()),
        }
    }
}

/// Parses a string that stands for another value, such as a digest or a pattern.
pub(crate) fn parsed<T: FromStr<Err = ParseError>>(value: Value, field: &str) -> Result<T> {
    value
        .string(field)?
        .parse()
        .map_err(|error: ParseError| ReadError::field(field, text::sentence(&error.to_string())))
}

/// Reads a moment in UTC, in its one spelling.
pub(crate) fn timestamp(value: Value, field: &str) -> Result<Timestamp> {
    let text = value.string(field)?;
    text.parse::<Timestamp>()
        .ok()
        .filter(|time| time.to_string() == text)
        .ok_or_else(|| {
            let found = text::name(&text);
            ReadError::field(
                field,
                format!("expected a time in UTC such as 2026-11-22T10:00:00Z, found {found:?}"),
            )
        })
}

/// Reads an array, each item with `read` and under its own name: `files[3]`.
pub(crate) fn list<T>(
    value: Value,
    field: &str,
    read: impl Fn(Value, &str) -> Result<T>,
) -> Result<Vec<T>> {
    value
        .array(field)?
        .into_iter()
        .enumerate()
        .map(|(index, item)| read(item, &format!("{field}[{index}]")))
        .collect()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 to 9007199254740991, a string, an array or an object")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Bool)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        if number > MAX_INTEGER {
            return Err(E::invalid_value(
                serde::de::Unexpected::Unsigned(number),
                &self,
            ));
        }
        Ok(Value::Integer(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((key, value)) = members.next_entry::<String, Value>()? {
            if object.contains_key(&key) {
                return Err(serde::de::Error::custom(format_args!(
                    "the key `{key}` stands twice"
                )));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_two_readings_is_refused() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":[{"c":1,"c":2}]}}"#,
            r#"{"a":1,"\u0061":2}"#,
            "9007199254740992",
            "18446744073709551616",
            "1.0",
            "1e3",
            "-1",
            "-0",
            "01",
            "{} {}",
            "{}x",
            "\u{feff}{}",
            "[1,]",
            "\"\\ud800\"",
            "NaN",
            "",
        ] {
            let refused = Value::parse(text.as_bytes());
            assert!(
                matches!(refused, Err(ReadError::Malformed { .. })),
                "{text}"
            );
        }
        assert!(Value::parse(b"\"\xff\"").is_err());
        assert!(Value::parse("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn the_largest_number_is_kept_exactly() {
        let value = Value::parse(b" 9007199254740991\n").unwrap();
        assert_eq!(value.integer("x").unwrap(), 9_007_199_254_740_991);
    }
}
