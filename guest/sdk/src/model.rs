//! The trait that every model implements.

use crate::{Assets, Error};

pub use crate::bindings::model::exports::ampoule::model::lifecycle::ModelInfo;

/// A model: loaded from its files once, and only read from then on.
pub trait Model: Sized + 'static {
    /// Reads the files and makes the model ready.
    ///
    /// The host calls it once, before anything else, under a budget of its own. Memory that is
    /// still held (or was held and dirtied) afterwards is part of every sandbox.
    ///
    /// # Errors
    ///
    /// `asset.*` from reading; `model.*` when a file is missing or wrong.
    fn load(assets: &Assets) -> Result<Self, Error>;

    /// Describes the model; `wit/lifecycle.wit` lists the well-known properties.
    fn describe(&self) -> ModelInfo;
}
