//! Protection of a server, by its settings.

use std::path::Path;

use ampoule_access::{KeyDirectory, KeyStore, MacKeySource};
use ampoule_command_line::shown_path;
use ampoule_server::Protection;

use crate::auth_options::AuthOptions;
use crate::error::Error;
use crate::settings::Settings;

/// Makes the protection. It follows changes of the key directory from now on.
pub(crate) fn of(options: &AuthOptions, settings: &Settings) -> Result<Protection, Error> {
    match options.keys() {
        Some(keys) => open(keys, settings).map(Protection::by_keys),
        None => Ok(Protection::off()),
    }
}

fn open(path: &Path, settings: &Settings) -> Result<KeyStore, Error> {
    let directory = KeyDirectory::new(path, settings.permissions.clone());
    KeyStore::open(directory, MacKeySource::Directory).map_err(|error| {
        let error = Error::Keys {
            directory: shown_path(path),
            error,
        };
        error.at(settings.place("auth.keys"))
    })
}
