//! Settings of the cache of answers.

use std::path::{Path, PathBuf};

use ampoule::ByteSize;
use ampoule_answers::{Answers, Bounds, MasterKey};
use ampoule_command_line::shown_path;
use serde::Deserialize;

use crate::age::Age;
use crate::config_value::from_text;
use crate::error::Error;
use crate::settings::Settings;

/// Each setting that the file gives under `[answer-cache]`. The table alone turns the cache on.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AnswerCacheOptions {
    /// Bytes of all answers; 256 MiB by default.
    #[serde(default, deserialize_with = "from_text")]
    bytes: Option<ByteSize>,
    /// Bytes of one tenant's answers; 64 MiB by default, and no more than `bytes`.
    #[serde(default, deserialize_with = "from_text")]
    tenant_bytes: Option<ByteSize>,
    /// Age at which an answer goes; an hour by default.
    #[serde(default, deserialize_with = "from_text")]
    age: Option<Age>,
    /// Directory of the answers, which is made if need be. Without it they are in memory.
    directory: Option<PathBuf>,
    /// File with the key from which each tenant's is derived. With it the answers in the directory outlive the server.
    key_file: Option<PathBuf>,
}

impl AnswerCacheOptions {
    /// Makes the cache.
    pub(crate) fn open(&self, settings: &Settings) -> Result<Answers, Error> {
        let bounds = self.bounds(settings)?;
        let key = self.key(settings)?;
        let Some(directory) = &self.directory else {
            return Answers::in_memory(bounds).map_err(Error::Answers);
        };
        let opened = Answers::in_directory(bounds, settings.permissions.at(directory), key);
        opened.map_err(|error| about("the directory", directory, error, settings, "directory"))
    }

    fn bounds(&self, settings: &Settings) -> Result<Bounds, Error> {
        let default = Bounds::default();
        let bytes = self.bytes.unwrap_or(default.bytes);
        let bounds = Bounds {
            bytes,
            tenant_bytes: self.tenant_bytes.unwrap_or(default.tenant_bytes.min(bytes)),
            age: self.age.map_or(default.age, |Age(age)| age),
        };
        bounds.check().map_err(|error| {
            let place = match &error {
                ampoule_answers::Error::Bounds { bound, .. } => place(settings, bound),
                _ => None,
            };
            Error::Answers(error).at(place)
        })?;
        Ok(bounds)
    }

    fn key(&self, settings: &Settings) -> Result<Option<MasterKey>, Error> {
        let Some(path) = &self.key_file else {
            return Ok(None);
        };
        if self.directory.is_none() {
            let message = "a key file without a directory changes nothing: name a directory, in which answers outlive the \
                           server, or leave the key file out";
            let error = Error::Setting(message.to_owned());
            return Err(error.at(place(settings, "key-file")));
        }
        let key = MasterKey::read(settings.permissions.at(path));
        let key = key.map_err(|error| about("the key file", path, error, settings, "key-file"))?;
        Ok(Some(key))
    }
}

/// Names the path and the place of the setting in an error about one of the two.
fn about(
    what: &str,
    path: &Path,
    error: ampoule_answers::Error,
    settings: &Settings,
    key: &str,
) -> Error {
    let what = format!("{what} {:?}", shown_path(path));
    Error::AnswersPath { what, error }.at(place(settings, key))
}

fn place(settings: &Settings, key: &str) -> Option<crate::config_place::Place> {
    settings.table_place(&format!("answer-cache.{key}"))
}
