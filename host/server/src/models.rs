//! The models that are served, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ampoule::{LiveModel, Model, ModelFacts, Refusal};

use crate::error::ApiError;

/// Characters of a name: a publisher, a model and a version.
const MAX_NAME_CHARS: usize = 128;

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

/// A place for a model, which is filled when the model is loaded. Clones are the same place.
#[derive(Clone, Debug)]
pub struct ModelSlot {
    entry: Arc<Entry>,
}

/// A model's place in the table.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) aliases: Vec<Arc<str>>,
    state: RwLock<State>,
    /// Releases that have served, one after the other.
    loaded: AtomicU64,
    /// Loads that failed before the first release served.
    failed: AtomicU64,
}

#[derive(Debug)]
enum State {
    Loading,
    /// With the code of the error.
    Failed(String),
    Ready(Served),
}

#[derive(Debug)]
enum Served {
    /// Followed: newer releases take over.
    Live(LiveModel),
    Fixed(Box<Model>),
}

/// The state of a model's place, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// The model is being loaded for the first time.
    Loading,
    /// The last attempt to load the model failed.
    Failed,
    /// The model answers requests.
    Ready,
}

/// A name that no model can have here, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(String);

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
                return Err(NameError(format!(
                    "the name `{given}` is given twice; each model needs names of its own"
                )));
            }
        }
        let entry = Arc::new(Entry {
            name: Arc::clone(&own),
            aliases: aliases.clone(),
            state: RwLock::new(State::Loading),
            loaded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        table.entries.insert(Arc::clone(&own), Arc::clone(&entry));
        for alias in aliases {
            table.aliases.insert(alias, Arc::clone(&own));
        }
        Ok(ModelSlot { entry })
    }

    /// Returns the model of this name or alias, with or without the tag `:latest`.
    pub(crate) fn find(&self, name: &str) -> Result<Found, ApiError> {
        let entry = self
            .entry(name)
            .ok_or_else(|| ApiError::unknown_model(name))?;
        let state = entry.state.read().unwrap_or_else(PoisonError::into_inner);
        let model = match &*state {
            State::Loading => return Err(ApiError::loading(&entry.name)),
            State::Failed(_) => return Err(ApiError::unavailable(&entry.name)),
            State::Ready(served) => served.model(),
        };
        drop(state);
        Ok(Found { entry, model })
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

    /// Returns the state of each model, by its own name.
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

impl ModelSlot {
    /// Serves a followed model from now on. Within a Tokio runtime the releases that take over are counted.
    pub fn serve(&self, model: LiveModel) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (entry, mut changes) = (Arc::downgrade(&self.entry), model.changes());
            runtime.spawn(async move {
                while changes.next().await.is_some()
                    && let Some(entry) = entry.upgrade()
                {
                    entry.loaded.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        self.set(State::Ready(Served::Live(model)));
    }

    /// Serves this one model from now on.
    pub fn serve_fixed(&self, model: Model) {
        self.set(State::Ready(Served::Fixed(Box::new(model))));
    }

    /// Returns the model's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Tells callers that the model could not be loaded, and operators the code of the error.
    pub fn fail(&self, code: &str) {
        self.set(State::Failed(code.to_owned()));
    }

    fn set(&self, state: State) {
        let count = match &state {
            State::Ready(_) => Some(&self.entry.loaded),
            State::Failed(_) => Some(&self.entry.failed),
            State::Loading => None,
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let mut current = self
            .entry
            .state
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = state;
    }
}

impl Entry {
    /// Checks that the model is up and trusted, so that a request to it would be answered.
    pub(crate) async fn check(&self) -> Result<(), ApiError> {
        match self.readiness() {
            Readiness::Loading => return Err(ApiError::loading(&self.name)),
            Readiness::Failed => return Err(ApiError::unavailable(&self.name)),
            Readiness::Ready => {}
        }
        match self.model() {
            Some(model) => Ok(model.check_trust().await?),
            None => Err(ApiError::loading(&self.name)),
        }
    }

    pub(crate) fn readiness(&self) -> Readiness {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Loading => Readiness::Loading,
            State::Failed(_) => Readiness::Failed,
            State::Ready(_) => Readiness::Ready,
        }
    }

    /// Returns the number of releases that have served.
    pub(crate) fn loaded(&self) -> u64 {
        self.loaded.load(Ordering::Relaxed)
    }

    /// Returns the number of loads that failed before the first release served.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Returns the code of the error that the last load failed with, if no release serves.
    pub(crate) fn failure(&self) -> Option<String> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Failed(code) => Some(code.clone()),
            State::Loading | State::Ready(_) => None,
        }
    }

    /// Returns the reason for which the release in the model's place does not serve, while the one before it does.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Ready(served) => served.refusal(),
            State::Loading | State::Failed(_) => None,
        }
    }

    /// Returns the model, if it is up.
    pub(crate) fn model(&self) -> Option<Model> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Ready(served) => Some(served.model()),
            State::Loading | State::Failed(_) => None,
        }
    }
}

impl Served {
    fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Live(live) => live.refusal(),
            Self::Fixed(_) => None,
        }
    }

    fn model(&self) -> Model {
        match self {
            Self::Live(live) => live.model(),
            Self::Fixed(model) => (**model).clone(),
        }
    }
}

impl Readiness {
    /// Returns the name in metrics and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Failed => "failed",
            Self::Ready => "ready",
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
    Err(NameError(format!(
        "the name `{}` cannot be used: letters, digits and ._:@- are expected, {MAX_NAME_CHARS} at most, with slashes \
         between parts, and without the tag :latest, which is added",
        ampoule::harmless_text(name)
    )))
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
            assert_eq!(
                models.find(name).unwrap_err().code,
                "model.unknown",
                "{name}"
            );
        }
        assert_eq!(models.find("tiny-vlm").unwrap_err().code, "model.loading");
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
