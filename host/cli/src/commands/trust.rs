//! `ampoule trust`: whose models this host runs.

use std::io::Read as _;
use std::path::Path;

use ampoule::{KeyId, PublicKey, TrustStore};
use ampoule_signing::{MAX_KEY_FILE_BYTES, TrustedKey};
use serde::Serialize;

use crate::arguments::TrustCommand;
use crate::error::Error;
use crate::output;
use crate::settings::Settings;

#[derive(Serialize)]
struct Key {
    key_id: KeyId,
    publishers: Vec<String>,
    /// Single models besides, as publisher and name with `/` between them.
    models: Vec<String>,
}

impl From<&TrustedKey> for Key {
    fn from(trusted: &TrustedKey) -> Self {
        Self {
            key_id: trusted.public_key().key_id(),
            publishers: trusted.publishers().map(str::to_owned).collect(),
            models: trusted
                .models()
                .map(|(publisher, name)| format!("{publisher}/{name}"))
                .collect(),
        }
    }
}

pub(crate) fn run(command: TrustCommand, settings: &Settings, json: bool) -> Result<(), Error> {
    let directory = settings.trust_directory()?;
    match command {
        TrustCommand::Add {
            publisher,
            name,
            key,
        } => {
            let key = read_public_key(&key)?;
            let key_id = TrustStore::update(directory, |trust| match &name {
                None => trust.insert(key, [publisher.as_str()]),
                Some(name) => trust.insert_model(key, &publisher, name),
            })?;
            if json {
                let model = name.as_ref().map(|name| format!("{publisher}/{name}"));
                return output::json(&Key {
                    key_id,
                    publishers: name.is_none().then_some(publisher).into_iter().collect(),
                    models: model.into_iter().collect(),
                });
            }
            output::write(&match name {
                None => format!("{key_id} may now speak for {publisher}\n"),
                Some(name) => format!("{key_id} may now sign {publisher}/{name}\n"),
            })
        }
        TrustCommand::List => list(&settings.trust_store()?, json),
        TrustCommand::Remove { key_id } => {
            let key_id: KeyId = key_id
                .parse()
                .map_err(|error| Error::Setting(format!("the key id: {error}")))?;
            // Looked up before anything is written: a mistyped id must not pass for a removal.
            let is_removed = TrustStore::update(directory, |trust| Ok(trust.remove(&key_id)))?;
            if !is_removed {
                return Err(Error::NoSuchKey(key_id));
            }
            if json {
                return output::json(&serde_json::json!({ "removed": key_id }));
            }
            output::write(&format!("{key_id} is not trusted any more\n"))
        }
    }
}

fn list(trust: &TrustStore, json: bool) -> Result<(), Error> {
    let keys: Vec<Key> = trust.keys().map(Key::from).collect();
    if json {
        return output::json(&serde_json::json!({ "keys": keys }));
    }
    let lines: Vec<String> = keys
        .iter()
        .map(|key| {
            let names = [&key.publishers[..], &key.models[..]].concat();
            format!("{} {}\n", key.key_id, names.join(" "))
        })
        .collect();
    output::write(&lines.concat())
}

fn read_public_key(path: &Path) -> Result<PublicKey, Error> {
    let failed = |error: std::io::Error| Error::Read {
        what: "the public key".to_owned(),
        reason: error.to_string(),
    };
    let mut pem = String::new();
    std::fs::File::open(path)
        .map_err(failed)?
        .take(MAX_KEY_FILE_BYTES + 1)
        .read_to_string(&mut pem)
        .map_err(failed)?;
    Ok(PublicKey::from_pem(&pem)?)
}
