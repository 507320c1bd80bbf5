//! The model of a command: a named bundle, or the built-in one.

use std::path::PathBuf;

use ampoule::{
    Bundle, LoadOptions, Model, ModelReference, ReleaseState, RollbackProtection, Task, TrustStore,
};

use crate::arguments::BundleCommand;
use crate::built_in;
use crate::error::Error;
use crate::model_option::ModelOption;
use crate::progress;
use crate::settings::Settings;

/// The model of a command, and the caller's name for it.
#[derive(Debug, Clone)]
pub(crate) struct ModelChoice {
    /// `None` is the built-in one.
    path: Option<PathBuf>,
    expected: Option<ModelReference>,
    rollback: RollbackProtection,
    check_files: bool,
}

impl From<ModelOption> for ModelChoice {
    fn from(option: ModelOption) -> Self {
        Self {
            path: option.model,
            rollback: if option.allow_downgrade {
                RollbackProtection::AllowDowngrade
            } else {
                RollbackProtection::On
            },
            expected: option.expect.expect,
            check_files: false,
        }
    }
}

impl From<BundleCommand> for ModelChoice {
    fn from(command: BundleCommand) -> Self {
        Self {
            path: command.bundle,
            rollback: RollbackProtection::CheckOnly,
            expected: command.expect.expect,
            check_files: false,
        }
    }
}

impl ModelChoice {
    /// Reads and verifies every file on loading, though the cache may make that needless.
    pub(crate) fn checking_files(mut self) -> Self {
        self.check_files = true;
        self
    }

    /// Opens the bundle, unverified.
    pub(crate) fn open(&self, settings: &Settings) -> Result<Bundle, Error> {
        let bundle = match &self.path {
            Some(path) => Bundle::open(settings.permissions.at(path))?,
            None => built_in::bundle()?,
        };
        Ok(match &self.expected {
            Some(expected) => bundle.with_expected(expected.clone()),
            None => bundle,
        })
    }

    /// Returns the rules for it: for a named bundle the operator's, and no others.
    pub(crate) fn trust(&self, settings: &Settings) -> Result<TrustStore, Error> {
        match self.path {
            Some(_) => settings.trust_store(),
            None => built_in::trust(),
        }
    }

    /// Returns the releases that it is compared with, if there are any. None are remembered of the built-in model,
    /// which is as old as its program, nor without a directory for them.
    pub(crate) fn releases(&self, settings: &Settings) -> Option<ReleaseState> {
        self.path.as_ref().and(settings.releases().ok())
    }

    /// Verifies, admits, compiles and initialises it.
    pub(crate) async fn load(self, settings: &Settings) -> Result<Model, Error> {
        let trust = self.trust(settings)?;
        let options = LoadOptions {
            expected: self.expected,
            rollback: self.rollback,
            permissions: settings.permissions.clone(),
            at_most: settings.at_most,
            check_files: self.check_files,
            ..LoadOptions::default()
        };
        Ok(match self.path {
            Some(path) => {
                settings.check_state()?;
                let host = settings.host(trust, Some(settings.releases()?))?;
                host.load_with(path, options).await?
            }
            // It is as old as the program that it is part of, whatever any state says.
            None => {
                let host = settings.host(trust, None)?;
                host.load_bundle_with(built_in::bundle()?, &options).await?
            }
        })
    }

    /// Refuses the built-in model if it lacks `task`, before seconds go into compiling it. The model's own call
    /// checks again.
    pub(crate) fn check_offers(&self, task: Task) -> Result<(), Error> {
        if self.path.is_none() && !built_in::offers(task)? {
            return Err(Error::BuiltInLacks { asked: task });
        }
        Ok(())
    }

    /// Loads the model for a command that needs `task`, and shows progress.
    pub(crate) async fn load_for(self, task: Task, settings: &Settings) -> Result<Model, Error> {
        self.check_offers(task)?;
        progress::show("loading the model", self.load(settings)).await
    }
}
