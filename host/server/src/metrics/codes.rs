//! Codes of errors as a label's values.

/// Codes under `input.` that the server and the library give, those that stand for a model's refusal included. A model may
/// choose others.
const INPUT_CODES: &[&str] = &[
    "input.address-too-long",
    "input.body-too-large",
    "input.empty",
    "input.form",
    "input.forwarded",
    "input.head-timeout",
    "input.head-too-large",
    "input.http",
    "input.image",
    "input.image-missing",
    "input.invalid",
    "input.json",
    "input.media-type",
    "input.option",
    "input.plain-http",
    "input.refused",
    "input.role",
    "input.sampling",
    "input.stop",
    "input.timeout",
    "input.too-large",
    "input.unsupported",
];

/// Returns the label of an error's code. Codes that models choose are one: they begin with `input.`, as the library sees
/// to, and there is no end of them.
pub(crate) fn label(code: &str) -> &str {
    if code.starts_with("input.") && !INPUT_CODES.contains(&code) {
        "input.*"
    } else {
        code
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn codes_of_models_are_one_and_each_of_the_server_has_its_own() {
        assert_eq!(label("input.of-a-model"), "input.*");
        assert_eq!(label("limit.fuel"), "limit.fuel");
        let own = own_codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        for code in ["input.unsupported", "input.empty"] {
            assert!(own.contains(code), "{own:?}");
        }
        for code in own {
            assert_eq!(label(&code), code, "the list lacks a code of the server");
        }
    }

    /// Finds the codes under `input.` in all sources in a directory but those of tests.
    fn own_codes(directory: &Path) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(own_codes(&path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let tested = source.find("\nmod tests {").unwrap_or(source.len());
                let texts = source[..tested].split('"').filter(|text| {
                    let is_name = |byte: u8| byte.is_ascii_lowercase() || b".-".contains(&byte);
                    text.len() > "input.".len()
                        && text.starts_with("input.")
                        && text.bytes().all(is_name)
                });
                found.extend(texts.map(str::to_owned));
            }
        }
        found
    }
}
