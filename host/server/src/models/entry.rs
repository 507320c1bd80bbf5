//! A model's place: it is loading, has failed, serves, or is not trusted any more.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ampoule::{Error, LiveModel, Model, Refusal};

use crate::error::ApiError;
use crate::models::told::Told;
use crate::said::Said;

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
    told: Told,
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
    /// The model was up, and its trust was withdrawn: requests to it are refused.
    Untrusted,
}

impl ModelSlot {
    pub(super) fn new(entry: Arc<Entry>) -> Self {
        Self { entry }
    }

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
    pub(super) fn new(name: Arc<str>, aliases: Vec<Arc<str>>) -> Self {
        Self {
            name,
            aliases,
            state: RwLock::new(State::Loading),
            loaded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            told: Told::default(),
        }
    }

    /// Returns the model's own name, and then each alias.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::once(&self.name).chain(&self.aliases)
    }

    /// Returns the model's own name, for errors.
    pub(crate) fn said(&self) -> Said {
        Said::of_operator(&self.name)
    }

    /// Returns the model that serves.
    ///
    /// # Errors
    ///
    /// `model.loading` and `model.unavailable`.
    pub(crate) fn served(&self) -> Result<Model, ApiError> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Loading => Err(ApiError::loading(self.said())),
            State::Failed(_) => Err(ApiError::unavailable(self.said())),
            State::Ready(served) => Ok(served.model()),
        }
    }

    /// Checks that the model is up and trusted, so that a request to it would be answered.
    pub(crate) async fn check(&self) -> Result<(), ApiError> {
        Ok(self.check_trust(&self.served()?).await?)
    }

    /// Brings [`Entry::readiness`] up to date, and logs what has changed for the operator. A lease that holds costs nothing.
    pub(crate) async fn look(&self) {
        if let Some(model) = self.model() {
            // The outcome is kept and logged.
            let _ = self.check_trust(&model).await;
        }
        self.told.candidate(&self.name, self.refusal().as_ref());
    }

    async fn check_trust(&self, model: &Model) -> Result<(), Error> {
        let checked = model.check_trust().await;
        self.told.trust(&self.name, checked.as_ref().err());
        checked
    }

    /// Returns the state as of the last [`Entry::look`] or [`Entry::check`].
    pub(crate) fn readiness(&self) -> Readiness {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Loading => Readiness::Loading,
            State::Failed(_) => Readiness::Failed,
            State::Ready(_) if self.told.distrust().is_some() => Readiness::Untrusted,
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

    /// Returns the code of the error for which the model is not ready: its last load failed, or it is not trusted any more.
    pub(crate) fn failure(&self) -> Option<String> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Failed(code) => Some(code.clone()),
            State::Loading => None,
            State::Ready(_) => self.told.distrust(),
        }
    }

    /// Returns the reason for which the release in the model's place does not serve, while the one before it does.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Ready(served) => served.refusal(),
            State::Loading | State::Failed(_) => None,
        }
    }

    /// Returns the model that is loaded. Requests to it are refused while it is untrusted.
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
            Self::Untrusted => "untrusted",
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
