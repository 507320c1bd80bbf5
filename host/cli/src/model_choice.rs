//! Which model a command is about: a bundle that is named, or the one that is built in.

use std::path::PathBuf;

use ampoule::{Bundle, Model, Task, TrustStore};

use crate::built_in;
use crate::error::Error;
use crate::progress;
use crate::settings::Settings;

/// The model that a command is about.
#[derive(Debug)]
pub(crate) enum ModelChoice {
    Named(PathBuf),
    BuiltIn,
}

impl From<Option<PathBuf>> for ModelChoice {
    fn from(bundle: Option<PathBuf>) -> Self {
        bundle.map_or(Self::BuiltIn, Self::Named)
    }
}

impl ModelChoice {
    /// The bundle, not verified yet.
    pub(crate) fn open(&self) -> Result<Bundle, Error> {
        match self {
            Self::Named(path) => Ok(Bundle::open(path)?),
            Self::BuiltIn => built_in::bundle(),
        }
    }

    /// Who may have signed it: for a named bundle whom the operator trusts, and nobody else.
    pub(crate) fn trust(&self, settings: &Settings) -> Result<TrustStore, Error> {
        match self {
            Self::Named(_) => settings.trust_store(),
            Self::BuiltIn => built_in::trust(),
        }
    }

    /// Verifies, admits, compiles and initialises it.
    pub(crate) async fn load(self, settings: &Settings) -> Result<Model, Error> {
        let host = settings.host(self.trust(settings)?)?;
        Ok(match self {
            Self::Named(path) => host.load(path).await?,
            Self::BuiltIn => host.load_bundle(built_in::bundle()?).await?,
        })
    }

    /// The same, with progress shown, for a command that needs `task`.
    pub(crate) async fn load_for(self, task: Task, settings: &Settings) -> Result<Model, Error> {
        // Said before seconds go into compiling it. The model's own call checks again.
        if let Self::BuiltIn = self
            && !built_in::offers(task)?
        {
            return Err(Error::BuiltInLacks { asked: task });
        }
        progress::show("loading the model", self.load(settings)).await
    }
}
