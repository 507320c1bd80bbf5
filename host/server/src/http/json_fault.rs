//! Faults of a request's JSON, in words that hold none of the request.
//!
//! The reader of JSON repeats what it found: a value of the wrong type, the name of an unknown field. So its message is
//! looked up here, and nothing of it is passed on but what a table has and numbers.

use axum::http::StatusCode;
use serde_path_to_error::{Path, Segment};

use crate::error::ApiError;
use crate::http::field_names::known;
use crate::said::{Said, said};

/// Kinds of values, as the reader begins its word for one that it found, and as it is told.
const FOUND: [(&str, &str); 9] = [
    ("null", "null"),
    ("unit", "null"),
    ("boolean", "a truth value"),
    ("integer", "a whole number"),
    ("floating point", "a number"),
    ("string", "a text"),
    ("character", "a text"),
    ("sequence", "a list"),
    ("map", "an object"),
];

/// Expectations, in the words of the reader and of the types here, and as they are told.
const EXPECTED: [(&str, &str); 20] = [
    ("a string", "a text"),
    ("string or map", "an object of one member"),
    ("a boolean", "true or false"),
    ("a sequence", "a list"),
    ("a map", "an object"),
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number of at least 0"),
    ("usize", "a whole number of at least 0"),
    ("i64", "a whole number"),
    ("f32", "a number"),
    ("f64", "a number"),
    (
        "a text, or what may stand in its place",
        "a text, or a list or an object in its place",
    ),
    (
        "a list of elements, flat or nested",
        "a list of elements, flat or nested",
    ),
    (
        "an element or a list of them",
        "an element or a list of them",
    ),
    ("an object, an input tensor", "an object, an input tensor"),
    (
        "true, false, a number, a text, or a list of texts",
        "true, false, a number, a text, or a list of texts",
    ),
    ("variant identifier", "text or image"),
    ("field identifier", "the name of a field"),
];

/// Makes the error of a body that cannot be read, with the field at fault where it is known.
pub(crate) fn error_of(path: &Path, error: &serde_json::Error) -> ApiError {
    if !error.is_data() {
        return whole(position(error));
    }
    let text = error.to_string();
    let place = place(path);
    if let Some(missing) = missing_field(&text) {
        let field = match place {
            Some(place) => said!("{}.{}", place, missing),
            None => missing.into(),
        };
        let message = said!("`{}` is missing", field);
        return ApiError::invalid(field, message);
    }
    match place {
        Some(place) => {
            let message = said!("`{}`: {}", place, fault(&text));
            ApiError::invalid(place, message)
        }
        // The field is one that only the caller knows.
        None if path.iter().len() > 0 => {
            ApiError::new(StatusCode::BAD_REQUEST, "input.invalid", fault(&text))
        }
        None if text.starts_with("invalid type") => whole("an object is expected"),
        None => whole(fault(&text)),
    }
}

/// Makes the error of a body that cannot be read, whose fields were not kept track of.
pub(crate) fn untracked(error: &serde_json::Error) -> ApiError {
    if !error.is_data() {
        return whole(position(error));
    }
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    match missing_field(&text) {
        Some(missing) => ApiError::invalid(missing, said!("`{}` is missing", missing)),
        None => whole(said!(
            "{}, in line {} at column {}",
            fault(&text),
            line,
            column
        )),
    }
}

/// Makes the error of a body that goes on after its value.
pub(crate) fn goes_on(error: &serde_json::Error) -> ApiError {
    ApiError::json(said!(
        "the body goes on after its JSON value, in line {} at column {}",
        error.line(),
        error.column()
    ))
}

fn whole(fault: impl Into<Said>) -> ApiError {
    ApiError::json(said!(
        "the body is not the JSON that is expected here: {}",
        fault.into()
    ))
}

/// Says where bytes are no JSON.
fn position(error: &serde_json::Error) -> Said {
    let (line, column) = (error.line(), error.column());
    if error.is_eof() {
        said!("it ends too early, in line {} at column {}", line, column)
    } else {
        said!("line {} is no JSON from column {} on", line, column)
    }
}

/// Returns the place of a value as far as its fields are those of a request. A name that only the caller knows ends it.
fn place(path: &Path) -> Option<Said> {
    let mut place: Option<Said> = None;
    for segment in path {
        let next = match segment {
            Segment::Seq { index } => Some(match place {
                Some(before) => said!("{}[{}]", before, *index),
                None => said!("[{}]", *index),
            }),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                let Some(name) = known(name) else {
                    return place;
                };
                Some(match place {
                    Some(before) => said!("{}.{}", before, name),
                    None => name.into(),
                })
            }
            Segment::Unknown => return place,
        };
        place = next;
    }
    place
}

/// Returns the field that a message of serde's says to be missing.
fn missing_field(message: &str) -> Option<&'static str> {
    let (field, _) = message.strip_prefix("missing field `")?.split_once('`')?;
    known(field)
}

/// Returns what is wrong with a value.
fn fault(message: &str) -> Said {
    let message = message
        .rsplit_once(" at line ")
        .map_or(message, |(message, _)| message);
    if let Some(rest) = message.strip_prefix("unknown field `") {
        return match names_in(rest) {
            Some(names) => said!("there is no such field; there are {}", names),
            None => "there is no such field".into(),
        };
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        return match names_in(rest) {
            Some(names) => said!("one of {} is expected", names),
            None => "another value is expected".into(),
        };
    }
    if let Some(rest) = message.strip_prefix("duplicate field `") {
        let name = rest.strip_suffix('`').and_then(known);
        return name.map_or("a field is there twice".into(), |name| {
            said!("the field `{}` is there twice", name)
        });
    }
    if let Some(elements) = number_between(
        message,
        "the shape has ",
        " elements, and the data has more",
    ) {
        return said!("the shape has {} elements, and the data has more", elements);
    }
    let of_texts = " texts are allowed, and there are more; send them in several requests";
    if let Some(texts) = number_between(message, "", of_texts) {
        return said!(
            "{} texts are allowed, and there are more; send them in several requests",
            texts
        );
    }
    match (expected(message), found(message)) {
        (Some(expected), Some(found)) => said!("{} is expected, and {} was found", expected, found),
        (Some(expected), None) => said!("{} is expected", expected),
        (None, _) => "another kind of value is expected".into(),
    }
}

/// Returns the known names that a message lists after the last `expected`.
fn names_in(message: &str) -> Option<Said> {
    let (_, listed) = message.rsplit_once("expected ")?;
    let names: Vec<&'static str> = listed
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(known)
        .collect();
    (!names.is_empty()).then(|| Said::joined(names, ", "))
}

/// Returns the expectation at the end of a message. The end is the reader's own, whatever the value before it was.
fn expected(message: &str) -> Option<Said> {
    let (_, words) = message.rsplit_once(", expected ")?;
    if words.starts_with("struct ") {
        return Some("an object".into());
    }
    if let Some(most) = number_between(words, "a list of at most ", "") {
        return Some(said!("a list of at most {}", most));
    }
    if let Some(most) = number_between(words, "an object of at most ", " parameters") {
        return Some(said!("an object of at most {} parameters", most));
    }
    let known = EXPECTED.iter().find(|(theirs, _)| *theirs == words);
    known.map(|(_, told)| (*told).into())
}

/// Returns the kind of the value that a message says was found.
fn found(message: &str) -> Option<&'static str> {
    let found = message.strip_prefix("invalid type: ")?;
    let known = FOUND.iter().find(|(theirs, _)| found.starts_with(theirs));
    known.map(|(_, told)| *told)
}

fn number_between(message: &str, start: &str, end: &str) -> Option<u64> {
    message.strip_prefix(start)?.strip_suffix(end)?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::http::text_or::TextOr;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only read")]
    struct Whole {
        n: Option<u32>,
        text: Option<String>,
        messages: Option<Vec<Part>>,
        metadata: Option<BTreeMap<String, u8>>,
        data: Option<TextOr<Vec<String>>>,
        dimensions: Option<u64>,
        temperature: Option<f32>,
        stream: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only read")]
    struct Part {
        text: String,
        role: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Text,
        Image,
    }

    fn error(json: &str) -> ApiError {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        match serde_path_to_error::deserialize::<_, Whole>(&mut deserializer) {
            Ok(_) => goes_on(&deserializer.end().unwrap_err()),
            Err(error) => error_of(error.path(), error.inner()),
        }
    }

    #[test]
    fn faults_are_told_with_their_field_and_without_what_was_found() {
        for (json, message) in [
            (
                r#"{"text": 7}"#,
                "`text`: a text is expected, and a whole number was found",
            ),
            (
                r#"{"messages": [{"text": []}]}"#,
                "`messages[0].text`: a text is expected, and a list was found",
            ),
            (r#"{"messages": [{}]}"#, "`messages[0].text` is missing"),
            (
                r#"{"messages": [{"text": "", "role": "SECRET"}]}"#,
                "`messages[0].role`: one of text, image is expected",
            ),
            (
                r#"{"n": "SECRET"}"#,
                "`n`: a whole number from 0 to 4294967295 is expected, and a text was found",
            ),
            (
                r#"{"n": -5}"#,
                "`n`: a whole number from 0 to 4294967295 is expected",
            ),
            (
                r#"{"n": "x, expected SECRET"}"#,
                "`n`: a whole number from 0 to 4294967295 is expected, and a text was found",
            ),
            (
                r#"{"dimensions": "SECRET"}"#,
                "`dimensions`: a whole number of at least 0 is expected, and a text was found",
            ),
            (
                r#"{"temperature": "SECRET"}"#,
                "`temperature`: a number is expected, and a text was found",
            ),
            (
                r#"{"stream": "SECRET"}"#,
                "`stream`: true or false is expected, and a text was found",
            ),
            (
                r#"{"metadata": {"SECRET": "SECRET"}}"#,
                "`metadata`: a whole number from 0 to 255 is expected, and a text was found",
            ),
            (
                r#"{"data": true}"#,
                "`data`: a text, or a list or an object in its place is expected, and a truth value was found",
            ),
            (
                r#"{"n": 1, "n": 2}"#,
                "the body is not the JSON that is expected here: the field `n` is there twice",
            ),
            (
                r#"{"role": "SECRET"}"#,
                "`role`: there is no such field; there are n, text, messages, metadata, data, dimensions, temperature, stream",
            ),
            (
                r#"{"a`, expected `SECRET": 1}"#,
                "there is no such field; there are n, text, messages, metadata, data, dimensions, temperature, stream",
            ),
            (
                "\"SECRET\"",
                "the body is not the JSON that is expected here: an object is expected",
            ),
            (
                "{SECRET",
                "the body is not the JSON that is expected here: line 1 is no JSON from column 2 on",
            ),
            (
                "{\"n\": ",
                "the body is not the JSON that is expected here: it ends too early, in line 1 at column 6",
            ),
            (
                "{} SECRET",
                "the body goes on after its JSON value, in line 1 at column 4",
            ),
        ] {
            assert_eq!(&*error(json).message, message, "{json}");
        }
    }

    #[test]
    fn a_place_ends_before_a_name_of_the_callers() {
        let error = error(r#"{"metadata": {"SECRET": 256}}"#);
        assert_eq!(error.param.as_deref(), Some("metadata"));
    }
}
