//! The model that is part of this program. None yet.

use ampoule::{Bundle, Task, TrustStore};

use crate::error::Error;

const NONE: &str = "no model is built in yet; name one with --model BUNDLE";

/// The bundle, not verified.
pub(crate) fn bundle() -> Result<Bundle, Error> {
    Err(Error::Setting(NONE.to_owned()))
}

/// Who may have signed it.
pub(crate) fn trust() -> Result<TrustStore, Error> {
    Err(Error::Setting(NONE.to_owned()))
}

/// Whether it serves `task`.
pub(crate) fn offers(_task: Task) -> Result<bool, Error> {
    Err(Error::Setting(NONE.to_owned()))
}
