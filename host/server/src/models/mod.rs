//! The models that are served, by name.

mod entry;
mod told;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ampoule::{Model, ModelFacts};

pub(crate) use crate::models::entry::Entry;
pub use crate::models::entry::{ModelSlot, Readiness};

/// Characters of a name: a publisher, a model and a version.
const MAX_NAME_CHARS: usize = 128;

/// Time between two looks at all models. Places of bundles and the trust directory are looked at as often.
const LOOK_TIME: Duration = Duration::from_secs(1);

/// The models of a service. Clones are the same models.
#[derive(Clone, Debug, Default)]
pub struct Models {
    inner: Arc<RwLock<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    /// By the model's own name.
    entries: BTreeMap<Arc<str>, Arc<Entry>>,
    /// From each further name to the model's own.
    aliases: BTreeMap<Arc<str>, Arc<str>>,
}

/// A name that no model can have here, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NameError {
    name: String,
    message: String,
}

impl NameError {
    /// Returns the name that was refused.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Models {
    /// Makes a place for a model, under its own name and under others. A name is made of parts between slashes, each of
    /// ASCII letters, digits and `._:@-`, and no part is `.` or `..`. A tag `:latest` is added by the routes that know
    /// tags, and belongs to no name.
    ///
    /// # Errors
    ///
    /// A name is not of that form, too long, or taken.
    pub fn add(&self, name: &str, aliases: &[String]) -> Result<ModelSlot, NameError> {
        let mut table = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let own: Arc<str> = name.into();
        let aliases: Vec<Arc<str>> = aliases.iter().map(|alias| alias.as_str().into()).collect();
        for (index, given) in std::iter::once(&own).chain(&aliases).enumerate() {
            check_name(given)?;
            let is_repeated = index > 0 && (*given == own || aliases[..index - 1].contains(given));
            if is_repeated || table.entries.contains_key(given) || table.aliases.contains_key(given)
            {
                return Err(NameError {
                    name: (**given).to_owned(),
                    message: format!(
                        "the name `{given}` is given twice; each model needs names of its own"
                    ),
                });
            }
        }
        let entry = Arc::new(Entry::new(Arc::clone(&own), aliases.clone()));
        table.entries.insert(Arc::clone(&own), Arc::clone(&entry));
        for alias in aliases {
            table.aliases.insert(alias, Arc::clone(&own));
        }
        Ok(ModelSlot::new(entry))
    }

    /// Returns the place of this name or alias, with or without the tag `:latest`.
    pub(crate) fn entry(&self, name: &str) -> Option<Arc<Entry>> {
        let table = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let look_up = |name: &str| {
            let own = table.aliases.get(name).map_or(name, |own| own);
            table.entries.get(own).cloned()
        };
        look_up(name).or_else(|| look_up(name.strip_suffix(":latest")?))
    }

    /// Returns all places, by their models' own names.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        let table = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        table.entries.values().cloned().collect()
    }

    /// Returns the own name of the model with these facts: that of the release that serves, or else of any release of
    /// the model, since a request may be of the release before.
    pub(crate) fn name_of(&self, facts: &ModelFacts) -> Option<Arc<str>> {
        let table = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let mut of_another_release = None;
        for entry in table.entries.values() {
            let Some(model) = entry.model() else { continue };
            if model.facts().manifest == facts.manifest {
                return Some(Arc::clone(&entry.name));
            }
            if (&model.facts().publisher, &model.facts().name) == (&facts.publisher, &facts.name) {
                of_another_release.get_or_insert(Arc::clone(&entry.name));
            }
        }
        of_another_release
    }

    /// Brings the state of each model up to date.
    pub(crate) async fn look(&self) {
        for entry in self.entries() {
            entry.look().await;
        }
    }

    /// Looks at all models each second, without end, so that the operator's log tells of changes that nobody asks for.
    pub(crate) async fn watch(self) {
        loop {
            tokio::time::sleep(LOOK_TIME).await;
            self.look().await;
        }
    }

    /// Returns the state of each model, by its own name. A served model's is at most a second old.
    #[must_use]
    pub fn readiness(&self) -> Vec<(Arc<str>, Readiness)> {
        let entries = self.entries().into_iter();
        entries
            .map(|entry| (Arc::clone(&entry.name), entry.readiness()))
            .collect()
    }
}

/// A model that was found by a caller's name for it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) entry: Arc<Entry>,
    pub(crate) model: Model,
}

fn check_name(name: &str) -> Result<(), NameError> {
    let is_part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte))
    };
    let is_latest = name.ends_with(":latest");
    if name.len() <= MAX_NAME_CHARS && !is_latest && name.split('/').all(is_part) {
        return Ok(());
    }
    let message = format!(
        "the name `{}` cannot be used: letters, digits and ._:@- are expected, {MAX_NAME_CHARS} at most, with slashes \
         between parts, and without the tag :latest, which is added",
        ampoule::harmless_text(name)
    );
    Err(NameError {
        name: name.to_owned(),
        message,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_by_each_of_its_names_and_by_the_tag_latest() {
        let models = Models::default();
        let aliases = ["gpt-4o-mini".to_owned(), "org/name".to_owned()];
        models.add("tiny-vlm", &aliases).unwrap();
        for name in [
            "tiny-vlm",
            "tiny-vlm:latest",
            "gpt-4o-mini",
            "org/name",
            "org/name:latest",
        ] {
            assert_eq!(&*models.entry(name).unwrap().name, "tiny-vlm", "{name}");
        }
        for name in ["", "tiny", "tiny-vlm:1", "tiny-vlm:latest:latest"] {
            assert!(models.entry(name).is_none(), "{name}");
        }
    }

    #[test]
    fn names_that_paths_could_confuse_or_that_are_taken_are_refused() {
        let models = Models::default();
        models.add("m", &["alias".to_owned()]).unwrap();
        let long = "x".repeat(MAX_NAME_CHARS + 1);
        for name in [
            "", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a b", "a%2fb", "é", "m", "alias",
            "a:latest", &long,
        ] {
            assert!(models.add(name, &[]).is_err(), "{name}");
        }
        assert!(models.add("n", &["n".to_owned()]).is_err());
        assert!(models.add("n", &["o".to_owned(), "o".to_owned()]).is_err());
        assert_eq!(models.readiness().len(), 1, "a refusal adds nothing");
    }
}
