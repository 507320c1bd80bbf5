//! Texts that a caller may read in an error.
//!
//! A [`Said`] is made of words that stand in this program, of numbers, and of names that the operator or a publisher chose.
//! The words of a caller and of a guest have another type, so they reach no error: answers are kept by clients, proxies
//! and services that watch for errors, beside whom nobody expects a prompt or a key.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::ops::Deref;
use std::time::Duration;

use ampoule::{ByteSize, Task};

/// A text without any word of a caller or of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said(Cow<'static, str>);

impl Said {
    /// Takes a name or a version that the operator or the publisher of a served model chose.
    pub(crate) fn of_operator(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }

    /// Takes a part of an error of the library's, whose documentation says that it is of the host's own words and numbers.
    pub(crate) fn of_library(text: &str) -> Self {
        Self(Cow::Owned(text.to_owned()))
    }

    /// Puts the parts into the blanks of a template. [`said!`](crate::said::said) counts both when it is compiled.
    pub(crate) fn filled(template: &'static str, parts: &[&dyn Part]) -> Self {
        let mut text = String::with_capacity(template.len() + 16 * parts.len());
        let mut parts = parts.iter();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once(BLANK) {
            text.push_str(before);
            if let Some(part) = parts.next() {
                part.add_to(&mut text);
            }
            rest = after;
        }
        text.push_str(rest);
        Self(Cow::Owned(text))
    }

    /// Joins texts by a separator.
    pub(crate) fn joined(
        parts: impl IntoIterator<Item = impl Part>,
        separator: &'static str,
    ) -> Self {
        let mut text = String::new();
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                text.push_str(separator);
            }
            part.add_to(&mut text);
        }
        Self(Cow::Owned(text))
    }
}

impl Deref for Said {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl From<&'static str> for Said {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// A part of a text that a caller may read. It is implemented for nothing that can hold a caller's words: a text has to
/// live as long as the program.
pub(crate) trait Part {
    fn add_to(&self, text: &mut String);
}

impl Part for &'static str {
    fn add_to(&self, text: &mut String) {
        text.push_str(self);
    }
}

impl Part for Said {
    fn add_to(&self, text: &mut String) {
        text.push_str(&self.0);
    }
}

impl Part for &Said {
    fn add_to(&self, text: &mut String) {
        text.push_str(&self.0);
    }
}

impl Part for Task {
    fn add_to(&self, text: &mut String) {
        text.push_str(self.name());
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Part for $number {
            fn add_to(&self, text: &mut String) {
                // Writing to a string cannot fail.
                let _ = write!(text, "{self}");
            }
        }
    )+};
}

numbers!(usize, u32, u64, ByteSize, ampoule::Fuel);

impl Part for Duration {
    /// Adds the time in milliseconds.
    fn add_to(&self, text: &mut String) {
        let _ = write!(text, "{} ms", self.as_millis());
    }
}

/// Mark of a template for a part.
const BLANK: &str = "{}";

/// Counts the blanks of a template.
///
/// # Panics
///
/// At the time of compiling, where a brace is no part of a blank: the name of a variable between braces would be text.
pub(crate) const fn blanks(template: &str) -> usize {
    let bytes = template.as_bytes();
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'{' => {
                assert!(
                    at + 1 < bytes.len() && bytes[at + 1] == b'}',
                    "a blank is written {{}}"
                );
                count += 1;
                at += 2;
            }
            other => {
                assert!(other != b'}', "a blank is written {{}}");
                at += 1;
            }
        }
    }
    count
}

/// Makes a [`Said`] of a template and of the parts for its blanks, each written `{}`.
///
/// Unlike `format!`, it takes nothing but [`Part`]s.
macro_rules! said {
    ($template:literal, $($part:expr),+ $(,)?) => {{
        const {
            let parts = [$(stringify!($part)),+].len();
            assert!(
                $crate::said::blanks($template) == parts,
                "a template has a blank for each part"
            );
        }
        $crate::said::Said::filled($template, &[$(&$part as &dyn $crate::said::Part),+])
    }};
}

pub(crate) use said;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_template_is_filled_in_order() {
        let name = Said::of_operator("acme/{}");
        let text = said!(
            "`{}`: {} of {}, {}",
            "a.b",
            7_usize,
            name,
            Task::TextEmbedding
        );
        // The name has a blank of its own, which nothing fills.
        assert_eq!(&*text, "`a.b`: 7 of acme/{}, text-embedding");
        assert_eq!(&*Said::joined(["a", "b"], ", "), "a, b");
        assert_eq!(blanks("{}a{}"), 2);
    }

    /// The two constructors that take any text are the way around the type, so each use of one is known here.
    #[test]
    fn texts_of_others_become_said_in_few_places() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        for_each_source(&sources, &mut |path, text| {
            for constructor in ["Said::of_operator(", "Said::of_library("] {
                let count = text.matches(constructor).count();
                if count > 0 && !path.ends_with("said.rs") {
                    let path = path.strip_prefix(&sources).unwrap();
                    found.push((path.to_str().unwrap().to_owned(), constructor, count));
                }
            }
        });
        found.sort_unstable();
        let expected = [
            ("core/limit_fields.rs", "Said::of_library(", 1),
            ("error.rs", "Said::of_library(", 3),
            ("families/inference/versions.rs", "Said::of_operator(", 1),
            ("models/entry.rs", "Said::of_operator(", 1),
        ];
        let expected =
            expected.map(|(path, constructor, count)| (path.to_owned(), constructor, count));
        assert_eq!(found, expected);
    }

    fn for_each_source(folder: &Path, visit: &mut impl FnMut(&Path, &str)) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                for_each_source(&path, visit);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                visit(&path, &std::fs::read_to_string(&path).unwrap());
            }
        }
    }
}
