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
//!   "revocation_mode": "strict",
//!   "caps": { "memory": "512MiB" },
//!   "delegations": [{ "models": ["acme/*"], "threshold": 1, "keys": [{ … }] }]
//! }
//! ```
//!
//! The role `root` signs this document and its successor. The role `revocation`, which may be left out,
//! signs the list of what is revoked, so that the keys for emergencies need not be those that are taken
//! out of a safe once a year. `revocation_mode` says what hosts do without a fresh list, and is
//! `permissive` when it is left out. `caps`, which may be left out too, hold for every model. Caps and
//! delegations are as in `trust.toml`.

use jiff::Timestamp;
use serde::Serialize;

use crate::trust::caps::Caps;
use crate::trust::delegation::Delegation;
use crate::trust::document::{WrittenRole, caps, delegations, fleet_name, parse_document, role};
use crate::trust::revocation_policy::RevocationMode;
use crate::trust::root::{DOCUMENT, Root};
use crate::values::error::Error;
use crate::values::json::{Fields, Result, Value, parsed, timestamp};

/// The version of the document's own format.
const SCHEMA: u64 = 1;

impl Root {
    /// Parses and checks a root.
    ///
    /// # Errors
    ///
    /// `trust.malformed` when it is over [`MAX_DOCUMENT_BYTES`](crate::MAX_DOCUMENT_BYTES), not strict JSON, or breaks a rule of its
    /// format; `trust.schema` for one of another format; `trust.malformed-key` and `trust.weak-key`
    /// for its keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let root = parse_document(bytes, DOCUMENT, SCHEMA, read)?;
        root.check_whole()?;
        Ok(root)
    }

    /// The root as text that people can read, edit and sign.
    ///
    /// # Errors
    ///
    /// `internal.encoding`, which would be a bug.
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
            revocation_mode: (self.revocation_mode != RevocationMode::default())
                .then_some(self.revocation_mode),
            caps: (!self.caps.is_empty()).then_some(&self.caps),
            delegations: &self.delegations,
        })
        .map(|json| json + "\n")
        .map_err(|_| Error::Internal("a root"))
    }
}

fn read(fields: &mut Fields) -> Result<Root> {
    let name = fields.required("name", fleet_name)?;
    let (own, revocation) = fields.required("roles", |value, field| {
        let mut roles = Fields::of(value, field)?;
        let read = (
            roles.required("root", role)?,
            roles.optional("revocation", role)?,
        );
        roles.finish()?;
        Ok(read)
    })?;
    Ok(Root {
        name,
        version: fields.required("version", Value::positive)?,
        expires: fields.required("expires", timestamp)?,
        own,
        revocation,
        revocation_mode: fields
            .optional("revocation_mode", parsed)?
            .unwrap_or_default(),
        caps: fields.optional("caps", caps)?.unwrap_or_default(),
        delegations: fields.required("delegations", delegations)?,
    })
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
    revocation_mode: Option<RevocationMode>,
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
