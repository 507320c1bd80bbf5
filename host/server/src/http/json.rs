//! JSON in and out.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::http::json_fault;
use crate::said::said;

/// Makes an answer of JSON.
pub(crate) fn json_response(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(error) => {
            tracing::error!(target: "ampoule::server", %error, "an answer could not be written as JSON");
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

/// Values of one body of JSON. A value takes up to a hundred times its own bytes once it is read, so a body of tiny values
/// would take gigabytes. Two thousand texts, or a thousand turns of several parts, have some ten thousand.
const MAX_VALUES: usize = 65_536;

/// Values of a body up to which the field of a fault is known, as many as a picture of 590 × 590 pixels has. To keep track of
/// the field takes four times as long as to read a number: half a second for 30 MiB of them, which a caller packs into 30 KiB.
const TRACKED_VALUES: usize = 1 << 20;

/// Reads JSON, whatever media type the caller names: curl names that of forms, and tritonclient none. A fault names the
/// field. JSON of more than [`MAX_VALUES`] values is refused before any of them is read.
pub(crate) fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if has_more_values_than(bytes, MAX_VALUES) {
        return Err(ApiError::json(said!(
            "the body has more than {} values, which is the most here; send it in several requests",
            MAX_VALUES
        )));
    }
    read(bytes, true)
}

/// Reads JSON as [`read_json`] does, with any number of values: for types that bound their lists by themselves, as those
/// of numbers do. A fault of more than [`TRACKED_VALUES`] values names its place and no field.
pub(crate) fn read_json_of_numbers<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    read(bytes, !has_more_values_than(bytes, TRACKED_VALUES))
}

fn read<T: DeserializeOwned>(bytes: &[u8], is_tracked: bool) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = if is_tracked {
        let value = serde_path_to_error::deserialize(&mut deserializer);
        value.map_err(|error| json_fault::error_of(error.path(), error.inner()))?
    } else {
        T::deserialize(&mut deserializer).map_err(|error| json_fault::untracked(&error))?
    };
    let end = deserializer.end();
    end.map_err(|error| json_fault::goes_on(&error))?;
    Ok(value)
}

/// Tells whether JSON has more values than `most`, by its commas and brackets outside texts.
fn has_more_values_than(json: &[u8], most: usize) -> bool {
    let mut values = 0;
    let mut rest = json.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => {
                while let Some(byte) = rest.next() {
                    match byte {
                        b'\\' => {
                            rest.next();
                        }
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b',' | b'[' | b'{' => values += 1,
            _ => {}
        }
    }
    values > most
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn json_of_too_many_values_is_refused_and_texts_count_as_one() {
        let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        for (json, is_read) in [
            (list("0", MAX_VALUES), true),
            (list("0", MAX_VALUES + 1), false),
            (list("{}", MAX_VALUES / 2), true),
            (list("{\"\":0}", MAX_VALUES), false),
            (list(&format!("\"{}\"", ",\\\"[{".repeat(50_000)), 3), true),
        ] {
            assert_eq!(read_json::<Value>(json.as_bytes()).is_ok(), is_read);
        }
        let many = list("0", MAX_VALUES + 1);
        assert!(read_json_of_numbers::<Vec<u8>>(many.as_bytes()).is_ok());
    }

    #[test]
    fn the_field_of_a_fault_is_tracked_among_as_many_numbers_as_that_is_quick_for() {
        for (count, is_tracked) in [(TRACKED_VALUES - 9, true), (TRACKED_VALUES + 1, false)] {
            let json = format!("[{}300]", "0,".repeat(count));
            let fault = read_json_of_numbers::<Vec<u8>>(json.as_bytes()).err();
            let fault = fault.map(|error| (error.param.is_some(), error.message));
            let (has_field, message) = fault.unwrap_or_default();
            assert_eq!(has_field, is_tracked, "{message}");
            assert!(message.contains("0 to 255"), "{message}");
            assert_eq!(message.contains("column"), !is_tracked, "{message}");
        }
    }

    #[test]
    fn a_missing_field_is_named_with_its_place() {
        #[derive(Debug, serde::Deserialize)]
        struct Whole {
            #[allow(dead_code, reason = "only read")]
            messages: Vec<Part>,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Part {
            #[allow(dead_code, reason = "only read")]
            text: String,
        }
        let param = |json: &str| match read_json::<Whole>(json.as_bytes()) {
            Err(error) => error.param.unwrap_or_default(),
            Ok(_) => "none is at fault".into(),
        };
        assert_eq!(&*param("{}"), "messages");
        assert_eq!(
            &*param(r#"{"messages": [{"text": ""}, {}]}"#),
            "messages[1].text"
        );
        assert_eq!(
            &*param(r#"{"messages": [{"text": 1}]}"#),
            "messages[0].text"
        );
        assert_eq!(&*param("7"), "");
        let message = read_json::<Whole>(b"7").map_err(|error| error.text());
        assert!(message.is_err_and(|message| message.ends_with("an object is expected")));
    }
}
