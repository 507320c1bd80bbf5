//! Patterns for models in a rule: all of a publisher's, or one by its name.

use std::fmt;
use std::str::FromStr;

use crate::bundle::names::check_identity;
use ampoule_units::ParseError;
use ampoule_units::text;

/// `acme/*`, everything that `acme` publishes, or `acme/minilm`, that one model.
///
/// ```
/// use ampoule_signing::ModelPattern;
///
/// let all: ModelPattern = "acme/*".parse()?;
/// assert!(all.matches("acme", "minilm") && !all.matches("other", "minilm"));
/// # Ok::<(), ampoule_signing::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelPattern {
    publisher: String,
    /// `None` is `*`.
    name: Option<String>,
}

impl ModelPattern {
    /// Makes a pattern for all models of a publisher, or for the one of this name.
    ///
    /// # Errors
    ///
    /// For a publisher or a name that none can have.
    pub fn new(publisher: &str, name: Option<&str>) -> Result<Self, ParseError> {
        for (what, text) in [("publisher", Some(publisher)), ("model", name)] {
            if let Some(text) = text {
                check_identity(text).map_err(|reason| {
                    ParseError(format!("the {what} {:?}: {reason}", text::name(text)))
                })?;
            }
        }
        Ok(Self {
            publisher: publisher.to_owned(),
            name: name.map(str::to_owned),
        })
    }

    /// The publisher.
    #[must_use]
    pub fn publisher(&self) -> &str {
        &self.publisher
    }

    /// The model's name; `None` means all of the publisher's.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns true for a model that the pattern means.
    #[must_use]
    pub fn matches(&self, publisher: &str, name: &str) -> bool {
        self.publisher == publisher && self.name().is_none_or(|own| own == name)
    }

    /// Returns true if the pattern means one model and no other.
    #[must_use]
    pub fn is_one_model(&self) -> bool {
        self.name.is_some()
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("*");
        write!(f, "{}/{name}", self.publisher)
    }
}

impl FromStr for ModelPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (publisher, name) = text.split_once('/').ok_or_else(|| {
            ParseError(format!(
                "expected PUBLISHER/* or PUBLISHER/MODEL, found {:?}",
                text::name(text)
            ))
        })?;
        Self::new(publisher, (name != "*").then_some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_round_trip_and_nothing_else_is_one() {
        for text in ["acme/*", "acme/minilm"] {
            assert_eq!(text.parse::<ModelPattern>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "acme",
            "*",
            "*/*",
            "*/minilm",
            "acme/",
            "/minilm",
            "acme/**",
            "acme/mini*",
            "acme/a/b",
            "Acme/*",
            "acme/ *",
            "acme/*/*",
        ] {
            assert!(text.parse::<ModelPattern>().is_err(), "{text:?}");
        }
    }
}
