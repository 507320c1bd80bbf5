//! Options of who may ask the server.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

/// Each setting that is given. In the file, under `[auth]`, the names are those of the options.
#[derive(Debug, Default, Clone, Args, Deserialize)]
#[command(next_help_heading = "Callers")]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AuthOptions {
    /// Key directory, which `ampoule keys` makes. Every caller needs one of its API keys, except for probes. By default
    /// callers need none.
    #[arg(long, value_name = "DIR", env = "AMPOULE_KEYS")]
    keys: Option<PathBuf>,
}

impl AuthOptions {
    /// Returns these settings, and those of `file` where these have none.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            keys: self.keys.or(file.keys),
        }
    }

    /// Returns the key directory, if there is to be one.
    pub(crate) fn keys(&self) -> Option<&Path> {
        self.keys.as_deref()
    }
}
