//! Reading a revocation list from the exact bytes that were signed, and writing one for people to edit
//! and sign.
//!
//! ```json
//! {
//!   "schema": 1,
//!   "name": "production",
//!   "version": 3,
//!   "expires": "2026-12-22T00:00:00Z",
//!   "keys": [{ "id": "4f3c…", "reason": "stolen on a train" }],
//!   "manifests": [{ "digest": "9b1e…" }],
//!   "components": [{ "digest": "07aa…", "reason": "leaks its cache" }]
//! }
//! ```
//!
//! A key is named by its id, a bundle by the SHA-256 of its manifest, a component by that of its bytes.
//! Each `reason` may be left out, and so may each of the three lists.

use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::values::digest::Sha256Digest;
use ampoule_units::ParseError;

use crate::trust::document::{fleet_name, parse_document};
use crate::trust::revocation_list::{DOCUMENT, RevocationList};
use crate::values::error::Error;
use crate::values::json::{Fields, ReadError, Result, Value, list, parsed, timestamp};
use crate::values::key_id::KeyId;
use crate::values::revoked::Revoked;

/// The version of the document's own format.
const SCHEMA: u64 = 1;
/// The longest reason, in bytes: a line on a terminal or two.
const MAX_REASON_BYTES: usize = 200;

impl RevocationList {
    /// Parses and checks a list.
    ///
    /// # Errors
    ///
    /// `trust.malformed` when it is over [`MAX_DOCUMENT_BYTES`](crate::MAX_DOCUMENT_BYTES), not strict
    /// JSON, or breaks a rule of its format; `trust.schema` for one of another format.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        parse_document(bytes, DOCUMENT, SCHEMA, read)
    }

    /// The list as text that people can read, edit and sign.
    ///
    /// # Errors
    ///
    /// `internal.encoding`, which would be a bug.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self)
            .map(|json| json + "\n")
            .map_err(|_| Error::Internal("a revocation list"))
    }
}

/// As the document has it; see the module.
impl Serialize for RevocationList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = Written {
            schema: SCHEMA,
            name: &self.name,
            version: self.version,
            expires: self.expires,
            keys: Vec::new(),
            manifests: Vec::new(),
            components: Vec::new(),
        };
        for (what, reason) in self.entries() {
            match what {
                Revoked::Key(id) => written.keys.push(WrittenKey { id, reason }),
                Revoked::Manifest(digest) => {
                    written.manifests.push(WrittenDigest { digest, reason });
                }
                Revoked::Component(digest) => {
                    written.components.push(WrittenDigest { digest, reason });
                }
            }
        }
        written.serialize(serializer)
    }
}

fn read(fields: &mut Fields) -> Result<RevocationList> {
    let name = fields.required("name", fleet_name)?;
    let version = fields.required("version", Value::positive)?;
    let expires = fields.required("expires", timestamp)?;
    let mut revoked = BTreeMap::new();
    let mut take = |entries: Option<Vec<Entry>>| {
        for Entry {
            field,
            what,
            reason,
        } in entries.into_iter().flatten()
        {
            if revoked.insert(what, reason).is_some() {
                return Err(ReadError::field(field, format!("{what} stands twice")));
            }
        }
        Ok(())
    };
    take(fields.optional("keys", |value, field| {
        entries(value, field, "id", Revoked::Key)
    })?)?;
    take(fields.optional("manifests", |value, field| {
        entries(value, field, "digest", Revoked::Manifest)
    })?)?;
    take(fields.optional("components", |value, field| {
        entries(value, field, "digest", Revoked::Component)
    })?)?;
    Ok(RevocationList {
        name,
        version,
        expires,
        revoked,
    })
}

/// An item of one of the lists, and where it stands.
struct Entry {
    field: String,
    what: Revoked,
    reason: Option<String>,
}

fn entries<T: FromStr<Err = ParseError>>(
    value: Value,
    field: &str,
    name: &str,
    revoked: fn(T) -> Revoked,
) -> Result<Vec<Entry>> {
    list(value, field, |value, field| {
        let mut fields = Fields::of(value, field)?;
        let what = revoked(fields.required(name, parsed)?);
        let reason = fields.optional("reason", reason)?;
        fields.finish()?;
        Ok(Entry {
            field: field.to_owned(),
            what,
            reason,
        })
    })
}

/// It is shown to people, on terminals too.
fn reason(value: Value, field: &str) -> Result<String> {
    let text = value.string(field)?;
    let is_line = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_line && !text.is_empty() && text.len() <= MAX_REASON_BYTES {
        return Ok(text);
    }
    Err(ReadError::field(
        field,
        format!("expected one line of 1 to {MAX_REASON_BYTES} printable ASCII characters"),
    ))
}

/// The document; the order of the fields is for people.
#[derive(Serialize)]
struct Written<'a> {
    schema: u64,
    name: &'a str,
    version: u64,
    expires: Timestamp,
    keys: Vec<WrittenKey<'a>>,
    manifests: Vec<WrittenDigest<'a>>,
    components: Vec<WrittenDigest<'a>>,
}

#[derive(Serialize)]
struct WrittenKey<'a> {
    id: KeyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct WrittenDigest<'a> {
    digest: Sha256Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}
