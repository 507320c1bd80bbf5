//! The cache of answers, by its settings.

use std::path::Path;

use ampoule_answers::{Answers, Bounds, MasterKey};
use ampoule_command_line::shown_path;

use crate::age::Age;
use crate::answer_cache_options::AnswerCacheOptions;
use crate::config_place::Place;
use crate::error::Error;
use crate::settings::Settings;

/// Makes the cache.
pub(crate) fn open(options: &AnswerCacheOptions, settings: &Settings) -> Result<Answers, Error> {
    let bounds = bounds(options, settings)?;
    let key = key(options, settings)?;
    let Some(directory) = &options.directory else {
        return Answers::in_memory(bounds).map_err(Error::Answers);
    };
    let opened = Answers::in_directory(bounds, settings.permissions.at(directory), key);
    opened.map_err(|error| about("the directory", directory, error, settings, "directory"))
}

fn bounds(options: &AnswerCacheOptions, settings: &Settings) -> Result<Bounds, Error> {
    let default = Bounds::default();
    let bytes = options.bytes.unwrap_or(default.bytes);
    let bounds = Bounds {
        bytes,
        tenant_bytes: options
            .tenant_bytes
            .unwrap_or(default.tenant_bytes.min(bytes)),
        age: options.age.map_or(default.age, |Age(age)| age),
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

fn key(options: &AnswerCacheOptions, settings: &Settings) -> Result<Option<MasterKey>, Error> {
    let Some(path) = &options.key_file else {
        return Ok(None);
    };
    if options.directory.is_none() {
        let message = "a key file without a directory changes nothing: name a directory, in which answers outlive the \
                           server, or leave the key file out";
        let error = Error::Setting(message.to_owned());
        return Err(error.at(place(settings, "key-file")));
    }
    let key = MasterKey::read(settings.permissions.at(path));
    let key = key.map_err(|error| about("the key file", path, error, settings, "key-file"))?;
    Ok(Some(key))
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

fn place(settings: &Settings, key: &str) -> Option<Place> {
    settings.table_place(&format!("answer-cache.{key}"))
}
