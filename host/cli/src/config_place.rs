//! The places of keys in the configuration file, for errors.

use std::fmt;

use ampoule_signing::text;
use toml::de::DeTable;

/// The text of the configuration file, for errors about values that are only found to be wrong beside others.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigText {
    /// The file, as the user named it.
    pub(crate) file: String,
    pub(crate) text: String,
}

/// A key of the configuration file, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: String,
    /// Line, counted from 1; none for a file that cannot be read.
    pub(crate) line: Option<usize>,
    /// Key, such as `model[1].name`; none for an error about a line that is no TOML.
    pub(crate) key: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration file {:?}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ": line {line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": `{key}`")?;
        }
        Ok(())
    }
}

impl ConfigText {
    /// Returns the place of a key, such as `server.listen` or `model[1].aliases[0]`, if the file has the key.
    pub(crate) fn place(&self, key: &str) -> Option<Place> {
        Some(Place {
            file: self.file.clone(),
            line: Some(self.line_at(position(&self.text, key)?)),
            key: Some(key.to_owned()),
        })
    }

    /// Returns the place of an error of the parser, at the key that was being read.
    pub(crate) fn place_of(&self, error: &toml::de::Error, key: Option<&str>) -> Place {
        Place {
            file: self.file.clone(),
            line: error.span().map(|span| self.line_at(span.start)),
            key: key.map(text::line),
        }
    }

    /// Returns the line of a byte, counted from 1.
    fn line_at(&self, byte: usize) -> usize {
        let before = self.text.get(..byte).unwrap_or_default();
        before.matches('\n').count() + 1
    }
}

/// Returns the byte at which a key stands, or an item of the list behind the key.
fn position(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = Some(document.get_ref());
    let mut position = None;
    for step in key.split('.') {
        let (name, item) = match step.split_once('[') {
            Some((name, item)) => (name, Some(item.strip_suffix(']')?)),
            None => (step, None),
        };
        let (found, mut value) = table?.get_key_value(name)?;
        position = Some(found.span().start);
        if let Some(item) = item {
            value = value.get_ref().get(item.parse::<usize>().ok()?)?;
            position = Some(value.span().start);
        }
        table = value.get_ref().as_table();
    }
    position
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_wherever_it_stands() {
        let config = ConfigText {
            file: "ampoule.toml".to_owned(),
            text: "trust = \"é\"\nserver.listen = \"x\"\n\n[[model]]\npath = \"a\"\n\n[[model]]\n\
                   path = \"b\"\naliases = [\n  \"c\",\n  \"d\",\n]\n[model.limits]\nfuel = 1\n"
                .to_owned(),
        };
        for (key, line) in [
            ("trust", 1),
            ("server.listen", 2),
            ("model[0].path", 5),
            ("model[1]", 7),
            ("model[1].path", 8),
            ("model[1].aliases", 9),
            ("model[1].aliases[1]", 11),
            ("model[1].limits.fuel", 14),
        ] {
            let place = config.place(key).unwrap();
            assert_eq!(place.line, Some(line), "{key}");
            let shown = format!("the configuration file \"ampoule.toml\": line {line}: `{key}`");
            assert_eq!(place.to_string(), shown);
        }
        for key in [
            "state",
            "server.drain",
            "trust.x",
            "model[2].path",
            "trust[0]",
        ] {
            assert_eq!(config.place(key), None, "{key}");
        }
        assert_eq!(ConfigText::default().place("trust"), None);
    }
}
