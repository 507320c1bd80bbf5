//! Small JSON files of settings: read within a bound, and looked at by key.

use ampoule_guest::{Assets, Error};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error;

/// Characters of a value that a message quotes, at most.
const MAX_QUOTED: usize = 80;

/// Reads the file `name` of at most `max_bytes`.
///
/// # Errors
///
/// `model.config` when it does not parse; `asset.*`; `model.file-size`.
pub fn read_json<T: DeserializeOwned>(
    assets: &Assets,
    name: &str,
    max_bytes: usize,
) -> Result<T, Error> {
    let text = assets.read_to_vec(name, max_bytes)?;
    serde_json::from_slice(&text)
        .map_err(|found| error::config(format!("cannot read `{name}`: {found}")))
}

/// Reads the file `name` where the bundle has it; see [`read_json`].
///
/// # Errors
///
/// Those of [`read_json`], but for `asset.not-found`.
pub fn read_json_if_there<T: DeserializeOwned>(
    assets: &Assets,
    name: &str,
    max_bytes: usize,
) -> Result<Option<T>, Error> {
    if is_there(assets, name)? {
        read_json(assets, name, max_bytes).map(Some)
    } else {
        Ok(None)
    }
}

/// Returns whether the bundle has the file `name`.
///
/// # Errors
///
/// `asset.*`, but for `asset.not-found`.
pub fn is_there(assets: &Assets, name: &str) -> Result<bool, Error> {
    match assets.size(name) {
        Ok(_) => Ok(true),
        Err(missing) if missing.code == "asset.not-found" => Ok(false),
        Err(other) => Err(other),
    }
}

/// Returns the path of `file` in `folder`, where `""` is the bundle's own folder.
pub fn in_folder(folder: &str, file: &str) -> String {
    if folder.is_empty() {
        file.to_owned()
    } else {
        format!("{folder}/{file}")
    }
}

/// Returns whether a setting asks for nothing: it is `null`, `false`, 0, empty, or holds only such settings.
pub fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.iter().all(is_off),
        Value::Object(values) => values.values().all(is_off),
    }
}

/// Refuses each setting of `settings` that is not off and not in `allowed`. `file` names where they stand.
///
/// # Errors
///
/// `model.config`, naming the setting and its value.
pub fn refuse_others(
    settings: &Map<String, Value>,
    allowed: &[&str],
    file: &str,
) -> Result<(), Error> {
    for (key, value) in settings {
        if !allowed.contains(&key.as_str()) && !is_off(value) {
            return Err(unserved(file, key, value));
        }
    }
    Ok(())
}

/// Returns `model.config` for a setting that the guest does not serve.
pub fn unserved(file: &str, key: &str, value: &Value) -> Error {
    error::config(format!(
        "this guest does not serve `{}` {} in `{file}`, and without it the answers would be others: \
         use a checkpoint that does not need it",
        quoted(key),
        quoted(&value.to_string())
    ))
}

/// Returns a stranger's text as a message may quote it: printable, and its beginning only. Quotation marks and
/// backslashes stand as they are, so that a pattern is shown as the file has it.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for letter in text.chars().take(MAX_QUOTED) {
        match letter {
            '"' | '\'' | '\\' => quoted.push(letter),
            // Escapes control characters, marks that steer how text is shown, and combining marks.
            other => quoted.extend(other.escape_debug()),
        }
    }
    if text.chars().nth(MAX_QUOTED).is_some() {
        quoted.push('…');
    }
    quoted
}

/// Returns a length in tokens. One beyond all numbers of this machine, which means "no bound" where tokenizers
/// are saved, is as large as there are.
///
/// # Errors
///
/// `model.config` when it is neither `null` nor a number from 1.
pub fn length(
    settings: &Map<String, Value>,
    key: &str,
    file: &str,
) -> Result<Option<usize>, Error> {
    let Some(value) = settings.get(key).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let whole = value
        .as_u64()
        .map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    let beyond = || {
        value
            .as_f64()
            .filter(|length| *length > 1e15)
            .map(|_| usize::MAX)
    };
    match whole.or_else(beyond) {
        Some(length) if length > 0 => Ok(Some(length)),
        _ => Err(error::config(format!(
            "expected `{key}` as a number from 1 in `{file}`, found {}",
            quoted(&value.to_string())
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn assets(text: &str) -> Assets {
        let files = [("settings.json".to_owned(), text.as_bytes().to_vec())];
        Assets::from_source(BTreeMap::from(files))
    }

    #[test]
    fn a_file_that_is_not_there_is_none_and_one_that_is_wrong_is_an_error() {
        let read = |text: &str, name: &str| {
            read_json_if_there::<Value>(&assets(text), name, 100).map_err(|error| error.code)
        };
        assert_eq!(read("{}", "other.json"), Ok(None));
        assert_eq!(read("{}", "settings.json"), Ok(Some(json!({}))));
        for (text, code) in [
            ("", "model.config"),
            ("{", "model.config"),
            ("{\"a\": NaN}", "model.config"),
            ("\u{feff}{}", "model.config"),
            (&" ".repeat(101), "model.file-size"),
            (&"[".repeat(100), "model.config"),
        ] {
            assert_eq!(read(text, "settings.json"), Err(code.to_owned()), "{text}");
        }
    }

    #[test]
    fn settings_that_ask_for_nothing_are_told_from_others() {
        for off in [
            json!(null),
            json!(false),
            json!(0),
            json!(0.0),
            json!(""),
            json!([]),
            json!({"adapters": {}, "fusions": [], "count": 0}),
        ] {
            assert!(is_off(&off), "{off}");
        }
        for on in [
            json!(true),
            json!(1),
            json!("x"),
            json!([1]),
            json!({"a": {"b": true}}),
        ] {
            assert!(!is_off(&on), "{on}");
        }
    }

    #[test]
    fn a_quoted_value_is_printable_and_short() {
        assert_eq!(quoted("gelu_new"), "gelu_new");
        assert_eq!(quoted("a\u{1b}[2J\u{202e}b"), "a\\u{1b}[2J\\u{202e}b");
        assert_eq!(quoted("ünï 北京 · 🦙"), "ünï 北京 · 🦙");
        assert_eq!(
            quoted("\u{200d}\u{2066}\u{feff}\u{2028}x"),
            "\\u{200d}\\u{2066}\\u{feff}\\u{2028}x"
        );
        assert_eq!(quoted("\"\\w\'"), "\"\\w\'");
        let long = quoted(&"🦙".repeat(500));
        assert_eq!(long.chars().count(), MAX_QUOTED + 1);
    }
}
