//! The names in a manifest: of publishers and models, of interfaces, of files.

use crate::bundle::envelope::ENVELOPE_FILE;

/// The longest name of a publisher, a model, a task or a capability, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 64;
/// The longest segment of a path, in bytes: the limit of common file systems.
const MAX_SEGMENT_BYTES: usize = 255;
/// The longest path, in bytes: a quarter of Linux's limit, so that there is room for a prefix.
const MAX_PATH_BYTES: usize = 1024;

/// Checks a publisher's or a model's name: `a-z`, `0-9`, and `-`, `.`, `_` inside. One alphabet, one
/// case: no two names look alike, and each is also a file name, a URL segment and a registry name.
pub(crate) fn check_identity(name: &str) -> Result<(), String> {
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    if (1..=MAX_NAME_BYTES).contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| alphanumeric(byte) || b"-._".contains(byte))
        && bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
    {
        return Ok(());
    }
    Err(format!(
        "expected 1 to {MAX_NAME_BYTES} of a-z, 0-9, and -._ inside"
    ))
}

/// Checks the name of a task or a capability: WIT's kebab-case, in lower case.
pub(crate) fn check_interface(name: &str) -> Result<(), String> {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if name.len() <= MAX_NAME_BYTES && name.split('-').all(word) {
        return Ok(());
    }
    Err(format!(
        "expected a name such as text-embedding of at most {MAX_NAME_BYTES} bytes"
    ))
}

/// Checks a file's path in a bundle: relative, `/` between segments, and spelled in the part of
/// ASCII that every file system and terminal takes literally. That leaves no `..`, no absolute path
/// of any system, no second Unicode spelling and no control character.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    if path.len() > MAX_PATH_BYTES {
        return Err(format!(
            "expected at most {MAX_PATH_BYTES} bytes, found {}",
            path.len()
        ));
    }
    let first = path.split('/').next().unwrap_or_default();
    if first.eq_ignore_ascii_case(ENVELOPE_FILE) {
        return Err("this is the name of the envelope, which cannot contain itself".to_owned());
    }
    path.split('/').try_for_each(check_segment)
}

fn check_segment(segment: &str) -> Result<(), String> {
    if segment.is_empty() {
        return Err("expected a relative path without empty segments".to_owned());
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(format!(
            "expected at most {MAX_SEGMENT_BYTES} bytes between slashes"
        ));
    }
    if !segment
        .bytes()
        .all(|byte| (b' '..=b'~').contains(&byte) && !br#"\:*?"<>|"#.contains(&byte))
    {
        return Err(r#"expected printable ASCII without \ : * ? " < > |"#.to_owned());
    }
    // `.` and `..` among them; the others are names that Windows changes.
    if segment.ends_with(['.', ' ']) || segment.starts_with(' ') {
        return Err(
            "expected no segment that is . or .., ends in a dot or has a space at an end"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_bundle_or_mean_two_files_are_refused() {
        for path in [
            "",
            "..",
            "../x",
            "a/../b",
            "a/..",
            ".",
            "./a",
            "a/.",
            "/a",
            "/",
            "a//b",
            "a/",
            "\\a",
            "a\\..\\b",
            "C:a",
            "C:/a",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            "ä",
            "a.",
            "a/b ",
            " a",
            "ampoule.dsse.json",
            "Ampoule.DSSE.json",
            "ampoule.dsse.json/a",
        ] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
        assert!(check_path(&"a".repeat(256)).is_err());
        assert!(check_path(&"a/".repeat(600)).is_err());
    }

    #[test]
    fn usual_paths_are_accepted() {
        for path in [
            "component.wasm",
            "onnx/model_q4f16.onnx",
            ".hidden",
            "a b",
            "..a",
            "a..b",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path:?}");
        }
        assert_eq!(check_path(&"a".repeat(255)), Ok(()));
    }

    #[test]
    fn identities_are_lower_case_ascii() {
        for name in ["acme", "all-minilm-l6-v2", "a", "a.b_c", "0"] {
            assert_eq!(check_identity(name), Ok(()), "{name:?}");
        }
        for name in ["", "Acme", "-a", "a-", ".a", "a b", "a/b", "aé", "а"] {
            assert!(check_identity(name).is_err(), "{name:?}");
        }
        assert!(check_identity(&"a".repeat(65)).is_err());
    }

    #[test]
    fn interfaces_are_kebab_case() {
        assert_eq!(check_interface("text-embedding"), Ok(()));
        for name in [
            "",
            "-a",
            "a-",
            "a--b",
            "Text",
            "text_embedding",
            "1a",
            "a/b",
        ] {
            assert!(check_interface(name).is_err(), "{name:?}");
        }
    }
}
