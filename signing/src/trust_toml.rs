//! The text form of a trust store.
//!
//! ```toml
//! schema = 1
//!
//! [[key]]
//! id = "4f3c…"                 # checked against the key, so that people can compare it
//! publishers = ["acme"]        # whatever they publish
//! models = ["other/minilm"]    # and single models; one of the two lists may be left out
//! public_key = """
//! -----BEGIN PUBLIC KEY-----
//! …
//! -----END PUBLIC KEY-----
//! """
//! ```
//!
//! The key stands in the file itself: one file is the whole store, and is replaced atomically.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, printable};
use crate::key::{KeyId, PublicKey};
use crate::trust::TrustStore;

/// The version of the file's format.
const SCHEMA: u64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u64,
    #[serde(default, rename = "key")]
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// May be left out by a person who writes the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<KeyId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    publishers: Vec<String>,
    /// Publisher and name, with `/` between them, which neither can contain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    models: Vec<String>,
    public_key: String,
}

pub(crate) fn parse(text: &str) -> Result<TrustStore> {
    let refused = |reason: String| Error::TrustMalformed { reason };
    let file: File = toml::from_str(text).map_err(|error| refused(printable(error.message())))?;
    if file.schema != SCHEMA {
        let found = file.schema;
        return Err(refused(format!(
            "expected schema = {SCHEMA}, found {found}"
        )));
    }
    let mut store = TrustStore::new();
    for entry in file.keys {
        let key = PublicKey::from_pem(&entry.public_key)?;
        let id = key.key_id();
        if entry.id.is_some_and(|claimed| claimed != id) {
            return Err(refused(format!(
                "the key {id} stands under another key's id"
            )));
        }
        if store.key(&id).is_some() {
            return Err(refused(format!("the key {id} stands twice")));
        }
        for model in &entry.models {
            let (publisher, name) = model.split_once('/').ok_or_else(|| {
                refused(format!(
                    "the model {:?}: expected PUBLISHER/NAME",
                    printable(model)
                ))
            })?;
            store.insert_model(key.clone(), publisher, name)?;
        }
        // A key that nothing names would be refused here, as it should.
        if entry.models.is_empty() || !entry.publishers.is_empty() {
            store.insert(key, entry.publishers)?;
        }
    }
    Ok(store)
}

pub(crate) fn write(store: &TrustStore) -> Result<String> {
    let keys = store
        .keys()
        .map(|trusted| {
            Ok(Entry {
                id: Some(trusted.public_key().key_id()),
                publishers: trusted.publishers().map(str::to_owned).collect(),
                models: trusted
                    .models()
                    .map(|(publisher, name)| format!("{publisher}/{name}"))
                    .collect(),
                public_key: trusted.public_key().to_pem()?,
            })
        })
        .collect::<Result<_>>()?;
    toml::to_string_pretty(&File {
        schema: SCHEMA,
        keys,
    })
    .map_err(|_| Error::Internal("the trust store"))
}
