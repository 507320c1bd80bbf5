//! The operator's own form of trust, `trust.toml`: `schema = 1`, perhaps `[caps]` on all models, and delegations, see
//! [`crate::trust::document`].
//!
//! TOML is turned into the values that JSON has, and read by the same strict reader as a signed root.

use serde::Serialize;

use crate::error::{Error, printable};
use crate::json::{Fields, MAX_INTEGER, ReadError, Result, Value};
use crate::trust::caps::Caps;
use crate::trust::delegation::Delegation;
use crate::trust::document::{caps, delegations, in_document, schema};
use crate::trust::error::TrustError;
use crate::trust::store::TrustStore;

/// The version of the file's format.
const SCHEMA: u64 = 1;
/// How messages call the file.
const DOCUMENT: &str = "trust.toml";

#[derive(Serialize)]
struct File<'a> {
    schema: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    caps: Option<&'a Caps>,
    delegations: &'a [Delegation],
}

pub(crate) fn parse(text: &str) -> Result<TrustStore, Error> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        Error::Trust(TrustError::Malformed {
            document: DOCUMENT,
            reason: printable(error.message()),
        })
    })?;
    read(toml::Value::Table(table)).map_err(in_document(DOCUMENT))
}

fn read(document: toml::Value) -> Result<TrustStore> {
    let mut fields = Fields::of(value(document, "")?, "")?;
    schema(&mut fields, DOCUMENT, SCHEMA)?;
    let caps = fields.optional("caps", caps)?;
    let delegations = fields.optional("delegations", delegations)?;
    fields.finish()?;
    let (delegations, caps) = (delegations.unwrap_or_default(), caps.unwrap_or_default());
    Ok(TrustStore::from_parts(delegations, caps, None)?)
}

/// The same as JSON has it. A date is its text; what JSON here does not know is refused.
fn value(from: toml::Value, field: &str) -> Result<Value> {
    Ok(match from {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => u64::try_from(number)
            .ok()
            .filter(|number| *number <= MAX_INTEGER)
            .map(Value::Integer)
            .ok_or_else(|| {
                ReadError::field(
                    printable(field),
                    format!("expected a number from 0 to {MAX_INTEGER}, found {number}"),
                )
            })?,
        toml::Value::Boolean(_) => Value::Bool,
        toml::Value::Float(_) => {
            let reason = "expected a whole number, found a fraction";
            return Err(ReadError::field(printable(field), reason));
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
        delegations: store.delegations(),
    })
    .map_err(|_| Error::Internal("the trust store"))
}
