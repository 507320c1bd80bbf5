//! Models and tasks that a key is for.

use std::fmt;
use std::str::FromStr;

use ampoule_units::{ParseError, text};
use serde::{Deserialize, Serialize};

use crate::text_form::text_form;

/// Characters of a pattern: a served model's name has 128 at most.
const MAX_PATTERN_CHARS: usize = 128;
/// Characters of a task's name.
const MAX_TASK_CHARS: usize = 64;
/// Patterns of one key. Each look at a list of models tries all of them on each model.
const MAX_PATTERNS: usize = 64;
/// Tasks of one key.
const MAX_TASKS: usize = 16;

/// Models and tasks that a key is for. A list that is left out stands for all of them, and an empty list for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Models by the names that they are served under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<NamePattern>>,
    /// Tasks by their names in WIT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<TaskName>>,
}

impl Scope {
    /// Tells whether a model of this name is within the scope.
    #[must_use]
    pub fn has_model(&self, name: &str) -> bool {
        let patterns = self.models.as_ref();
        patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.fits(name)))
    }

    /// Tells whether a task is within the scope.
    #[must_use]
    pub fn has_task(&self, name: &str) -> bool {
        let tasks = self.tasks.as_ref();
        tasks.is_none_or(|tasks| tasks.iter().any(|task| task.0 == name))
    }

    /// Refuses lists that are too long.
    pub(crate) fn check(&self) -> Result<(), ParseError> {
        let counts = [
            (
                "patterns of models",
                MAX_PATTERNS,
                self.models.as_ref().map(Vec::len),
            ),
            ("tasks", MAX_TASKS, self.tasks.as_ref().map(Vec::len)),
        ];
        for (what, most, found) in counts {
            let found = found.unwrap_or(0);
            if found > most {
                return Err(ParseError(format!(
                    "expected at most {most} {what}, found {found}"
                )));
            }
        }
        Ok(())
    }
}

/// Pattern of served models' or tenants' names: a name, or the beginning of names and a `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    start: String,
    is_whole: bool,
}

impl NamePattern {
    /// Tells whether the pattern fits a name.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        if self.is_whole {
            name == self.start
        } else {
            name.starts_with(&self.start)
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.start)?;
        f.write_str(if self.is_whole { "" } else { "*" })
    }
}

impl FromStr for NamePattern {
    type Err = ParseError;

    fn from_str(pattern: &str) -> Result<Self, ParseError> {
        let start = pattern.strip_suffix('*');
        let is_whole = start.is_none();
        let start = start.unwrap_or(pattern);
        let is_plain = start
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:@/-".contains(&byte));
        if is_plain && pattern.len() <= MAX_PATTERN_CHARS && !(is_whole && start.is_empty()) {
            return Ok(Self {
                start: start.to_owned(),
                is_whole,
            });
        }
        let found = text::name(pattern);
        Err(ParseError(format!(
            "expected a name, or the beginning of names and a `*`, at most {MAX_PATTERN_CHARS} letters, digits \
              and ._:@/-, found {found:?}"
        )))
    }
}

text_form!(NamePattern);

/// Name of a task, such as `text-embedding`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskName(String);

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TaskName {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Self, ParseError> {
        let is_plain = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if is_plain && !name.is_empty() && name.len() <= MAX_TASK_CHARS {
            return Ok(Self(name.to_owned()));
        }
        let found = text::name(name);
        Err(ParseError(format!(
            "expected the name of a task such as text-embedding, found {found:?}"
        )))
    }
}

text_form!(TaskName);

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(models: Option<&[&str]>, tasks: Option<&[&str]>) -> Scope {
        let parse = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        Scope {
            models: models.map(parse),
            tasks: tasks.map(|tasks| tasks.iter().map(|name| name.parse().unwrap()).collect()),
        }
    }

    #[test]
    fn a_list_that_is_left_out_has_everything_and_an_empty_one_nothing() {
        assert!(scope(None, None).has_model("minilm"));
        assert!(scope(None, None).has_task("text-embedding"));
        assert!(!scope(Some(&[]), None).has_model("minilm"));
        assert!(!scope(None, Some(&[])).has_task("text-embedding"));
    }

    #[test]
    fn a_pattern_fits_its_name_or_all_names_that_begin_so() {
        let some = scope(Some(&["minilm", "tiny-*"]), Some(&["text-embedding"]));
        for (name, expected) in [
            ("minilm", true),
            ("minilm2", false),
            ("minil", false),
            ("MINILM", false),
            ("tiny-", true),
            ("tiny-vlm", true),
            ("tiny", false),
            ("a/tiny-vlm", false),
            ("", false),
        ] {
            assert_eq!(some.has_model(name), expected, "{name:?}");
        }
        assert!(scope(Some(&["*"]), None).has_model("anything"));
        assert!(some.has_task("text-embedding") && !some.has_task("text-embeddings"));
        assert!(!some.has_task("text-"));
    }

    #[test]
    fn patterns_are_plain() {
        for text in ["minilm", "acme/minilm:1@x", "*", "tiny-*"] {
            assert_eq!(text.parse::<NamePattern>().unwrap().to_string(), text);
        }
        let long = "a".repeat(129);
        for wrong in ["", "a*b", "**", "a b", "a,b", "ä", "[a]", "a?", &long] {
            assert!(wrong.parse::<NamePattern>().is_err(), "{wrong:?}");
        }
        for wrong in ["", "*", "Text", "text_embedding", "a b"] {
            assert!(wrong.parse::<TaskName>().is_err(), "{wrong:?}");
        }
    }
}
