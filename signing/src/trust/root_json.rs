//! Reading a root from the exact bytes that were signed, and writing one for people to edit and sign.
//!
//! ```json
//! {
//!   "schema": 1,
//!   "name": "production",
//!   "version": 1,
//!   "expires": "2027-11-22T00:00:00Z",
//!   "roles": {
//!     "root": { "threshold": 2, "keys": [{ "id": "4f3c…", "public_key": "-----BEGIN PUBLIC KEY-----\n…" }] },
//!     "revocation": { "threshold": 1, "keys": [{ … }] }
//!   },
//!   "caps": { "memory": "512MiB" },
//!   "delegations": [{ "models": ["acme/*"], "threshold": 1, "keys": [{ … }] }]
//! }
//! ```
//!
//! The role `root` signs this document and its successor. The role `revocation`, which may be left out,
//! signs the list of what is revoked, so that the keys for emergencies need not be those that are taken
//! out of a safe once a year. `caps`, which may be left out too, hold for every model. Caps and
//! delegations are as in `trust.toml`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::error::Error;
use crate::json::{Fields, ReadError, Result, Value, timestamp};
use crate::key::{KeyId, PublicKey};
use crate::manifest::MAX_MANIFEST_BYTES;
use crate::names::check_identity;
use crate::trust::caps::Caps;
use crate::trust::delegation::Delegation;
use crate::trust::document::{
    WrittenKey, caps, delegations, in_document, keys_by_id, public_key, schema, threshold,
};
use crate::trust::error::TrustError;
use crate::trust::role::Role;
use crate::trust::root::{DOCUMENT, Root};
use crate::trust::validity::Validity;

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
    /// format; `trust.schema` for one of another format; `trust.malformed-key` and `trust.weak-key`
    /// for its keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_ROOT_BYTES {
            let found = bytes.len();
            return Err(Error::Trust(TrustError::Malformed {
                document: DOCUMENT,
                reason: format!("expected at most {MAX_ROOT_BYTES} bytes, found {found}"),
            }));
        }
        read(bytes).map_err(in_document(DOCUMENT))
    }

    /// The root as text that people can read, edit and sign.
    ///
    /// # Errors
    ///
    /// None that is known (`internal.encoding`).
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(&Written {
            schema: SCHEMA,
            name: &self.name,
            version: self.version,
            expires: self.expires,
            roles: WrittenRoles {
                root: WrittenRole::new(&self.own)?,
                revocation: self.revocation.as_ref().map(WrittenRole::new).transpose()?,
            },
            caps: (!self.caps.is_empty()).then_some(&self.caps),
            delegations: &self.delegations,
        })
        .map(|json| json + "\n")
        .map_err(|_| Error::Internal("a root"))
    }
}

fn read(bytes: &[u8]) -> Result<Root> {
    let mut fields = Fields::of(Value::parse(bytes)?, "")?;
    schema(&mut fields, DOCUMENT, SCHEMA)?;
    let name = fields.required("name", |value, field| {
        let name = value.string(field)?;
        check_identity(&name).map_err(|reason| ReadError::field(field, reason))?;
        Ok(name)
    })?;
    let (own, revocation) = fields.required("roles", |value, field| {
        let mut roles = Fields::of(value, field)?;
        let read = (
            roles.required("root", role)?,
            roles.optional("revocation", role)?,
        );
        roles.finish()?;
        Ok(read)
    })?;
    let root = Root {
        name,
        version: fields.required("version", Value::positive)?,
        expires: fields.required("expires", timestamp)?,
        own,
        revocation,
        caps: fields.optional("caps", caps)?.unwrap_or_default(),
        delegations: fields.required("delegations", delegations)?,
    };
    fields.finish()?;
    root.check_whole()?;
    Ok(root)
}

fn role(value: Value, field: &str) -> Result<Role> {
    let mut fields = Fields::of(value, field)?;
    let role = Role {
        threshold: fields.required("threshold", threshold)?,
        keys: fields.required("keys", keys)?,
    };
    fields.finish()?;
    Ok(role)
}

fn keys(value: Value, field: &str) -> Result<BTreeMap<KeyId, PublicKey>> {
    keys_by_id(value, field, key, PublicKey::key_id)
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
    name: &'a str,
    version: u64,
    expires: Timestamp,
    roles: WrittenRoles,
    #[serde(skip_serializing_if = "Option::is_none")]
    caps: Option<&'a Caps>,
    delegations: &'a [Delegation],
}

#[derive(Serialize)]
struct WrittenRoles {
    root: WrittenRole,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation: Option<WrittenRole>,
}

#[derive(Serialize)]
struct WrittenRole {
    threshold: u32,
    keys: Vec<WrittenKey>,
}

impl WrittenRole {
    fn new(role: &Role) -> Result<Self, Error> {
        Ok(Self {
            threshold: role.threshold.get(),
            keys: role
                .keys()
                .map(|key| WrittenKey::new(key, Validity::default()))
                .collect::<Result<_, Error>>()?,
        })
    }
}
