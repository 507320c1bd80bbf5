//! The models that a caller may know of. For everybody else's, the answer is that of a model that there is not.

use std::sync::Arc;

use ampoule_access::Principal;

use crate::error::ApiError;
use crate::models::{Entry, Found, Models};

/// Models as one caller sees them. A request that passed no gate sees none.
#[derive(Debug)]
pub(crate) struct Visible<'s> {
    models: &'s Models,
    caller: Option<&'s Principal>,
}

impl<'s> Visible<'s> {
    pub(crate) fn new(models: &'s Models, caller: Option<&'s Principal>) -> Self {
        Self { models, caller }
    }

    /// Returns the model of this name or alias, with or without the tag `:latest`.
    ///
    /// # Errors
    ///
    /// `model.unknown` where there is no such model for this caller; `model.loading` and `model.unavailable`.
    pub(crate) fn find(&self, name: &str) -> Result<Found, ApiError> {
        let entry = self.entry(name).ok_or_else(ApiError::unknown_model)?;
        let model = entry.served()?;
        Ok(Found { entry, model })
    }

    /// Returns the place of this name or alias, with or without the tag `:latest`.
    pub(crate) fn entry(&self, name: &str) -> Option<Arc<Entry>> {
        self.models.entry(name).filter(|entry| self.shows(entry))
    }

    /// Returns the places, by their models' own names.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        let mut entries = self.models.entries();
        entries.retain(|entry| self.shows(entry));
        entries
    }

    /// Tells whether the caller may know of a model: by one of its names, which stand for the same model.
    fn shows(&self, entry: &Entry) -> bool {
        let may_see = |caller: &Principal| entry.names().any(|name| caller.may_see(name));
        self.caller.is_some_and(may_see)
    }
}
