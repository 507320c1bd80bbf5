//! Codes of errors as a label's values.

/// Codes under `input.` that the server and the library give. A model may choose others.
const INPUT_CODES: &[&str] = &[
    "input.address-too-long",
    "input.body-too-large",
    "input.form",
    "input.head-timeout",
    "input.head-too-large",
    "input.http",
    "input.invalid",
    "input.json",
    "input.media-type",
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
mod tests {
    use super::*;

    #[test]
    fn codes_of_models_are_one_and_each_of_the_server_has_its_own() {
        assert_eq!(label("input.of-a-model"), "input.*");
        assert_eq!(label("limit.fuel"), "limit.fuel");
        let source = include_str!("../error.rs");
        let own = source.split('"').filter(|text| {
            let is_name = |byte: u8| byte.is_ascii_lowercase() || b".-".contains(&byte);
            text.starts_with("input.") && text.bytes().all(is_name)
        });
        let own: Vec<&str> = own.collect();
        assert!(own.contains(&"input.unsupported"), "{own:?}");
        for code in own {
            assert_eq!(label(code), code, "the list lacks a code of the server");
        }
    }
}
