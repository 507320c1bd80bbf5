//! The written form of delegations, the same in `trust.toml` and in a signed root:
//!
//! ```toml
//! [[delegations]]
//! models = ["acme/*", "other/minilm"]   # PUBLISHER/* or PUBLISHER/MODEL
//! threshold = 2                         # different keys that have to sign; left out: 1
//! not_before = "2027-01-01T00:00:00Z"   # when any of it holds; each may be left out
//! not_after = "2028-01-01T00:00:00Z"
//!
//! [delegations.caps]                    # what the models may ask for; each may be left out
//! capabilities = []
//! memory = "256MiB"
//! fuel = 20000000000
//! timeout = "5s"
//! output = "1MiB"
//! init_memory = "512MiB"
//! init_fuel = 100000000000
//! init_timeout = "30s"
//!
//! [[delegations.keys]]
//! id = "4f3c…"                          # checked against the key; may be left out
//! not_before = "2027-01-01T00:00:00Z"   # when the key counts; each may be left out
//! not_after = "2028-01-01T00:00:00Z"
//! public_key = """
//! -----BEGIN PUBLIC KEY-----
//! …
//! -----END PUBLIC KEY-----
//! """
//! ```
//!
//! Beside them, `caps` of the same form may hold for all models. The keys stand in the document itself, so that one file is the whole truth.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::bundle::model_pattern::ModelPattern;
use crate::bundle::names::{check_identity, check_interface};
use crate::keys::key::PublicKey;
use crate::trust::caps::{Caps, InitCaps};
use crate::trust::delegation::{Delegation, TrustedKey};
use crate::trust::revocation_policy::RevocationMode;
use crate::trust::role::Role;
use crate::trust::signed::MAX_DOCUMENT_BYTES;
use crate::values::error::Error;
use crate::values::json::{Fields, ReadError, Result, Value, list, parsed, timestamp};
use crate::values::key_id::KeyId;
use crate::values::trust_error::TrustError;
use crate::values::validity::Validity;
use ampoule_units::{ByteSize, Fuel, parse_time, time_text};

/// Says which document was not read.
pub(crate) fn in_document(document: &'static str) -> impl Fn(ReadError) -> Error {
    move |error| {
        let reason = match error {
            ReadError::Field { field, reason } => format!("the field `{field}`: {reason}"),
            ReadError::Malformed { reason }
            | ReadError::Other(Error::Trust(TrustError::Malformed { reason, .. })) => reason,
            ReadError::Other(other) => return other,
        };
        Error::Trust(TrustError::Malformed { document, reason })
    }
}

/// Reads the JSON of a signed document: checks its size, reads `schema` first, and refuses fields that are left over.
pub(crate) fn parse_document<T>(
    bytes: &[u8],
    document: &'static str,
    known: u64,
    read: impl FnOnce(&mut Fields) -> Result<T>,
) -> Result<T, Error> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        let found = bytes.len();
        return Err(Error::Trust(TrustError::Malformed {
            document,
            reason: format!("expected at most {MAX_DOCUMENT_BYTES} bytes, found {found}"),
        }));
    }
    let read_all = || {
        let mut fields = Fields::of(Value::parse(bytes)?, "")?;
        schema(&mut fields, document, known)?;
        let read = read(&mut fields)?;
        fields.finish()?;
        Ok(read)
    };
    read_all().map_err(in_document(document))
}

/// Reads the name of the fleet that a document is for.
pub(crate) fn fleet_name(value: Value, field: &str) -> Result<String> {
    let name = value.string(field)?;
    check_identity(&name).map_err(|reason| ReadError::field(field, reason))?;
    Ok(name)
}

/// Reads the field `schema`, before all others: a later schema may have anything else. A document of an unknown
/// schema would be half understood, so it is refused whole.
pub(crate) fn schema(fields: &mut Fields, document: &'static str, known: u64) -> Result<()> {
    match fields.required("schema", Value::integer)? {
        found if found == known => Ok(()),
        found => Err(ReadError::Other(Error::Trust(TrustError::Schema {
            document,
            found,
            known,
        }))),
    }
}

pub(crate) fn delegations(value: Value, field: &str) -> Result<Vec<Delegation>> {
    list(value, field, delegation)
}

fn delegation(value: Value, field: &str) -> Result<Delegation> {
    let mut fields = Fields::of(value, field)?;
    let models = fields.required("models", |value, field| {
        distinct(list(value, field, parsed::<ModelPattern>)?, field)
    })?;
    let threshold = fields.optional("threshold", threshold)?;
    let validity = validity(&mut fields, field)?;
    let caps = fields.optional("caps", caps)?;
    let keys = fields.optional("keys", keys)?;
    fields.finish()?;
    Ok(Delegation {
        models,
        threshold: threshold.unwrap_or(NonZeroU32::MIN),
        validity,
        caps: caps.unwrap_or_default(),
        keys: keys.unwrap_or_default(),
    })
}

/// A list in which nothing stands twice.
fn distinct<T: Ord>(items: Vec<T>, field: &str) -> Result<BTreeSet<T>> {
    let count = items.len();
    let items: BTreeSet<T> = items.into_iter().collect();
    if items.len() == count {
        return Ok(items);
    }
    Err(ReadError::field(field, "expected each of them once"))
}

fn threshold(value: Value, field: &str) -> Result<NonZeroU32> {
    let number = value.positive(field)?;
    u32::try_from(number)
        .ok()
        .and_then(NonZeroU32::new)
        .ok_or_else(|| {
            ReadError::field(field, format!("expected a number of keys, found {number}"))
        })
}

fn keys(value: Value, field: &str) -> Result<BTreeMap<KeyId, TrustedKey>> {
    keys_by_id(value, field, trusted_key, |trusted| trusted.key.key_id())
}

/// A list of keys, no key twice, each read with `read`.
fn keys_by_id<T>(
    value: Value,
    field: &str,
    read: impl Fn(Value, &str) -> Result<T>,
    id: impl Fn(&T) -> KeyId,
) -> Result<BTreeMap<KeyId, T>> {
    let mut keys = BTreeMap::new();
    for (place, key) in list(value, field, read)?.into_iter().enumerate() {
        let id = id(&key);
        if keys.insert(id, key).is_some() {
            return Err(ReadError::field(
                format!("{field}[{place}]"),
                format!("the key {id} stands twice"),
            ));
        }
    }
    Ok(keys)
}

/// A role: `threshold` and `keys`, each key as in a delegation and without a time of its own.
pub(crate) fn role(value: Value, field: &str) -> Result<Role> {
    let mut fields = Fields::of(value, field)?;
    let role = role_fields(&mut fields)?;
    fields.finish()?;
    Ok(role)
}

/// The fields of a role, in a structure that may have others.
pub(crate) fn role_fields(fields: &mut Fields) -> Result<Role> {
    Ok(Role {
        threshold: fields.required("threshold", threshold)?,
        keys: fields.required("keys", |value, field| {
            keys_by_id(value, field, timeless_key, PublicKey::key_id)
        })?,
    })
}

fn timeless_key(value: Value, field: &str) -> Result<PublicKey> {
    let mut fields = Fields::of(value, field)?;
    let key = public_key(&mut fields, field)?;
    fields.finish()?;
    Ok(key)
}

fn trusted_key(value: Value, field: &str) -> Result<TrustedKey> {
    let mut fields = Fields::of(value, field)?;
    let key = public_key(&mut fields, field)?;
    let validity = validity(&mut fields, field)?;
    fields.finish()?;
    Ok(TrustedKey { key, validity })
}

/// The fields `public_key` and `id` of the structure at `field`.
fn public_key(fields: &mut Fields, field: &str) -> Result<PublicKey> {
    let key = fields.required("public_key", |value, field| {
        Ok(PublicKey::from_pem(&value.string(field)?)?)
    })?;
    let claimed = fields.optional("id", parsed::<KeyId>)?;
    if claimed.is_some_and(|claimed| claimed != key.key_id()) {
        return Err(ReadError::field(
            field,
            format!("the key {} stands under another key's id", key.key_id()),
        ));
    }
    Ok(key)
}

fn validity(fields: &mut Fields, field: &str) -> Result<Validity> {
    let validity = Validity {
        not_before: fields.optional("not_before", timestamp)?,
        not_after: fields.optional("not_after", timestamp)?,
    };
    if let (Some(first), Some(last)) = (validity.not_before, validity.not_after)
        && last <= first
    {
        return Err(ReadError::field(
            format!("{field}.not_after"),
            "expected a time after `not_before`",
        ));
    }
    Ok(validity)
}

pub(crate) fn caps(value: Value, field: &str) -> Result<Caps> {
    let mut fields = Fields::of(value, field)?;
    let caps = Caps {
        capabilities: fields.optional("capabilities", |value, field| {
            let names = list(value, field, |value, field| {
                let name = value.string(field)?;
                check_interface(&name).map_err(|reason| ReadError::field(field, reason))?;
                Ok(name)
            })?;
            distinct(names, field)
        })?,
        memory: fields.optional("memory", size)?,
        fuel: fields.optional("fuel", fuel)?,
        deadline: fields.optional("timeout", time)?,
        output: fields.optional("output", size)?,
        init: InitCaps {
            memory: fields.optional("init_memory", size)?,
            fuel: fields.optional("init_fuel", fuel)?,
            deadline: fields.optional("init_timeout", time)?,
        },
    };
    fields.finish()?;
    Ok(caps)
}

fn size(value: Value, field: &str) -> Result<ByteSize> {
    let size: ByteSize = match value {
        Value::Integer(_) => ByteSize::from_bytes(value.positive(field)?),
        _ => parsed(value, field)?,
    };
    if size.bytes() == 0 {
        return Err(ReadError::field(field, "expected a size above 0, found 0"));
    }
    Ok(size)
}

fn fuel(value: Value, field: &str) -> Result<Fuel> {
    value.positive(field).map(Fuel::new)
}

fn time(value: Value, field: &str) -> Result<Duration> {
    parse_time(&value.string(field)?).map_err(|error| ReadError::field(field, error.to_string()))
}

/// A delegation as it is written: scalars before tables, as TOML wants it.
#[derive(Serialize)]
struct Written<'a> {
    models: Vec<String>,
    threshold: NonZeroU32,
    #[serde(flatten)]
    validity: WrittenValidity,
    #[serde(skip_serializing_if = "Option::is_none")]
    caps: Option<&'a Caps>,
    keys: Vec<WrittenKey>,
}

#[derive(Serialize)]
struct WrittenValidity {
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<Timestamp>,
}

#[derive(Serialize)]
struct WrittenCaps<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<Fuel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    init_memory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    init_fuel: Option<Fuel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    init_timeout: Option<String>,
}

#[derive(Serialize)]
struct WrittenKey {
    id: KeyId,
    #[serde(flatten)]
    validity: WrittenValidity,
    public_key: String,
}

impl From<Validity> for WrittenValidity {
    fn from(validity: Validity) -> Self {
        Self {
            not_before: validity.not_before,
            not_after: validity.not_after,
        }
    }
}

/// A role as it is written.
#[derive(Serialize)]
pub(crate) struct WrittenRole {
    threshold: u32,
    keys: Vec<WrittenKey>,
}

impl WrittenRole {
    pub(crate) fn new(role: &Role) -> Result<Self, Error> {
        Ok(Self {
            threshold: role.threshold.get(),
            keys: role
                .keys()
                .map(|key| WrittenKey::new(key, Validity::default()))
                .collect::<Result<_, Error>>()?,
        })
    }
}

impl WrittenKey {
    fn new(key: &PublicKey, validity: Validity) -> Result<Self, Error> {
        Ok(Self {
            id: key.key_id(),
            validity: validity.into(),
            public_key: key.to_pem()?,
        })
    }
}

/// As the document has it; see the module.
impl Serialize for Delegation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keys = self
            .keys()
            .map(|trusted| WrittenKey::new(&trusted.key, trusted.validity))
            .collect::<Result<_, Error>>()
            .map_err(serde::ser::Error::custom)?;
        Written {
            models: self.models().map(ToString::to_string).collect(),
            threshold: self.threshold,
            validity: self.validity.into(),
            caps: (!self.caps.is_empty()).then_some(&self.caps),
            keys,
        }
        .serialize(serializer)
    }
}

/// As the document has it.
impl Serialize for RevocationMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As the document has it; see the module.
impl Serialize for Caps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WrittenCaps::from(self).serialize(serializer)
    }
}

impl<'a> From<&'a Caps> for WrittenCaps<'a> {
    fn from(caps: &'a Caps) -> Self {
        Self {
            capabilities: caps.capabilities.as_ref(),
            memory: caps.memory.map(|size| size.to_string()),
            fuel: caps.fuel,
            timeout: caps.deadline.map(time_text),
            output: caps.output.map(|size| size.to_string()),
            init_memory: caps.init.memory.map(|size| size.to_string()),
            init_fuel: caps.init.fuel,
            init_timeout: caps.init.deadline.map(time_text),
        }
    }
}
