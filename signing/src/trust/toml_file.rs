//! The operator's own form of trust, `trust.toml`: `schema = 1`, perhaps `[caps]` on all models, perhaps
//! `[revocation]`, and delegations, see [`crate::trust::document`].
//!
//! ```toml
//! [revocation]
//! mode = "strict"                       # or "permissive", which is meant when it is left out
//! name = "production"                   # the name of the lists, and who signs them: the three fields
//! threshold = 1                         # are there together or not at all
//! [[revocation.keys]]
//! public_key = "…"
//! ```
//!
//! TOML is turned into the values that JSON has, and read by the same strict reader as a signed root.

use serde::Serialize;

use crate::trust::caps::Caps;
use crate::trust::delegation::Delegation;
use crate::trust::document::{
    WrittenRole, caps, delegations, fleet_name, in_document, role_fields, schema,
};
use crate::trust::revocation_policy::{RevocationAuthority, RevocationMode, RevocationPolicy};
use crate::trust::store::TrustStore;
use crate::values::error::Error;
use crate::values::json::{Fields, MAX_INTEGER, ReadError, Result, Value, parsed};
use crate::values::trust_error::TrustError;
use ampoule_units::text;

/// The version of the file's format.
const SCHEMA: u64 = 1;
/// The file's name in messages.
const DOCUMENT: &str = "trust.toml";

#[derive(Serialize)]
struct File<'a> {
    schema: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    caps: Option<&'a Caps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation: Option<WrittenRevocation<'a>>,
    delegations: &'a [Delegation],
}

#[derive(Serialize)]
struct WrittenRevocation<'a> {
    mode: RevocationMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(flatten)]
    role: Option<WrittenRole>,
}

pub(crate) fn parse(text: &str) -> Result<TrustStore, Error> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        Error::Trust(TrustError::Malformed {
            document: DOCUMENT,
            reason: text::sentence(error.message()),
        })
    })?;
    read(toml::Value::Table(table)).map_err(in_document(DOCUMENT))
}

fn read(document: toml::Value) -> Result<TrustStore> {
    let mut fields = Fields::of(value(document, "")?, "")?;
    schema(&mut fields, DOCUMENT, SCHEMA)?;
    let caps = fields.optional("caps", caps)?.unwrap_or_default();
    let revocation = fields.optional("revocation", revocation)?;
    let delegations = fields.optional("delegations", delegations)?;
    fields.finish()?;
    Ok(TrustStore::from_parts(
        delegations.unwrap_or_default(),
        caps,
        revocation.unwrap_or_default(),
        None,
    )?)
}

fn revocation(value: Value, field: &str) -> Result<RevocationPolicy> {
    let mut fields = Fields::of(value, field)?;
    let mode = fields.optional("mode", parsed::<RevocationMode>)?;
    let authority = match fields.optional("name", fleet_name)? {
        None => None,
        Some(name) => {
            let role = role_fields(&mut fields)?;
            role.check("the keys for revocation")
                .map_err(|reason| ReadError::field(field, reason))?;
            Some(RevocationAuthority::of_document(name, role))
        }
    };
    fields.finish()?;
    Ok(RevocationPolicy::new(authority, mode.unwrap_or_default()))
}

/// Converts a value of TOML into one of JSON. A date becomes its text; other things that JSON lacks are refused.
fn value(from: toml::Value, field: &str) -> Result<Value> {
    Ok(match from {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => u64::try_from(number)
            .ok()
            .filter(|number| *number <= MAX_INTEGER)
            .map(Value::Integer)
            .ok_or_else(|| {
                ReadError::field(
                    text::name(field),
                    format!("expected a number from 0 to {MAX_INTEGER}, found {number}"),
                )
            })?,
        toml::Value::Boolean(_) => Value::Bool,
        toml::Value::Float(_) => {
            let reason = "expected a whole number, found a fraction";
            return Err(ReadError::field(text::name(field), reason));
        }
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => Value::Array(
            items
                .into_iter()
                .map(|item| value(item, field))
                .collect::<Result<_>>()?,
        ),
        toml::Value::Table(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, member)| {
                    let member = value(member, &name)?;
                    Ok((name, member))
                })
                .collect::<Result<_>>()?,
        ),
    })
}

pub(crate) fn write(store: &TrustStore) -> Result<String, Error> {
    toml::to_string_pretty(&File {
        schema: SCHEMA,
        caps: (!store.caps().is_empty()).then(|| store.caps()),
        revocation: written_revocation(store)?,
        delegations: store.delegations(),
    })
    .map_err(|_| Error::Internal("the trust store"))
}

fn written_revocation(store: &TrustStore) -> Result<Option<WrittenRevocation<'_>>, Error> {
    let (mode, authority) = (store.revocation_mode(), store.revocation_authority());
    if mode == RevocationMode::default() && authority.is_none() {
        return Ok(None);
    }
    Ok(Some(WrittenRevocation {
        mode,
        name: authority.map(RevocationAuthority::name),
        role: authority
            .map(|authority| WrittenRole::new(authority.role()))
            .transpose()?,
    }))
}
