//! Reading a root from the exact bytes that were signed, and writing one for people to edit and sign.
//!
//! ```json
//! {
//!   "schema": 1,
//!   "version": 1,
//!   "expires": "2027-11-22T00:00:00Z",
//!   "threshold": 2,
//!   "keys": [{ "id": "4f3c…", "public_key": "-----BEGIN PUBLIC KEY-----\n…" }],
//!   "delegations": [{ "models": ["acme/*"], "threshold": 1, "keys": [{ … }] }]
//! }
//! ```
//!
//! `keys` and `threshold` are those of the root itself; a delegation is as in `trust.toml`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::json::{Fields, Value};
use crate::key::{KeyId, PublicKey};
use crate::manifest::MAX_MANIFEST_BYTES;
use crate::manifest_json::{list, timestamp};
use crate::trust_delegation::{Delegation, Validity};
use crate::trust_document::{WrittenKey, delegations, in_document, public_key, threshold};
use crate::trust_root::{DOCUMENT, Root};

/// The version of the document's own format.
const SCHEMA: u64 = 1;

/// The longest root, as long as the longest manifest: the same envelope holds either.
pub const MAX_ROOT_BYTES: usize = MAX_MANIFEST_BYTES;

impl Root {
    /// Parses and checks a root.
    ///
    /// # Errors
    ///
    /// `trust.malformed` when it is over [`MAX_ROOT_BYTES`], not strict JSON, or breaks a rule of its
    /// format; `trust.malformed-key` and `trust.weak-key` for its keys.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_ROOT_BYTES {
            let found = bytes.len();
            return Err(Error::TrustMalformed {
                document: DOCUMENT,
                reason: format!("expected at most {MAX_ROOT_BYTES} bytes, found {found}"),
            });
        }
        read(bytes).map_err(in_document(DOCUMENT))
    }

    /// The root as text that people can read, edit and sign.
    ///
    /// # Errors
    ///
    /// None that is known (`internal.encoding`).
    pub fn to_json(&self) -> Result<String> {
        let keys = self
            .keys
            .values()
            .map(|key| WrittenKey::new(key, Validity::default()))
            .collect::<Result<_>>()?;
        serde_json::to_string_pretty(&Written {
            schema: SCHEMA,
            version: self.version,
            expires: self.expires,
            threshold: self.threshold.get(),
            keys,
            delegations: &self.delegations,
        })
        .map(|json| json + "\n")
        .map_err(|_| Error::Internal("a root"))
    }
}

fn read(bytes: &[u8]) -> Result<Root> {
    let mut fields = Fields::of(Value::parse(bytes)?, "")?;
    // First: a later schema may have anything else.
    fields.required("schema", |value, field| match value.integer(field)? {
        SCHEMA => Ok(()),
        found => Err(Error::field(
            field,
            format!("expected {SCHEMA}, found {found}; a newer Ampoule may read it"),
        )),
    })?;
    let root = Root {
        version: fields.required("version", Value::positive)?,
        expires: fields.required("expires", timestamp)?,
        threshold: fields.required("threshold", threshold)?,
        keys: fields.required("keys", keys)?,
        delegations: fields.required("delegations", delegations)?,
    };
    fields.finish()?;
    root.check_whole()?;
    Ok(root)
}

fn keys(value: Value, field: &str) -> Result<BTreeMap<KeyId, PublicKey>> {
    let mut keys = BTreeMap::new();
    for (place, key) in list(value, field, key)?.into_iter().enumerate() {
        let id = key.key_id();
        if keys.insert(id, key).is_some() {
            return Err(Error::field(
                format!("{field}[{place}]"),
                format!("the key {id} stands twice"),
            ));
        }
    }
    Ok(keys)
}

fn key(value: Value, field: &str) -> Result<PublicKey> {
    let mut fields = Fields::of(value, field)?;
    let key = public_key(&mut fields, field)?;
    fields.finish()?;
    Ok(key)
}

/// The document; the order of the fields is for people.
#[derive(Serialize)]
struct Written<'a> {
    schema: u64,
    version: u64,
    expires: Timestamp,
    threshold: u32,
    keys: Vec<WrittenKey>,
    delegations: &'a [Delegation],
}
