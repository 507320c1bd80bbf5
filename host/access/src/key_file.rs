//! `keys.toml`: the API keys of a server, without their secrets.
//!
//! ```toml
//! schema = 1
//! mac_key = "d1c64e0bb4f1a9a0"            # id of the MAC key that the hashes were made with
//!
//! [[key]]
//! name = "3f9c2a7be1d04c58"
//! hash = "hmac-sha256:…"
//! role = "infer"                          # infer, list, metrics or admin
//! tenant = "acme"
//! created = "2026-11-30T09:00:00Z"
//! not_after = "2027-03-01T00:00:00Z"      # these may be left out
//! models = ["minilm", "tiny-*"]
//! tasks = ["text-embedding"]
//! note = "the search service"
//! revoked = "2027-01-01T00:00:00Z"
//! replaces = "77aa0e5d0c1b2f34"
//!
//! [key.rates]
//! requests = "100/1m"
//! burst = 20
//! tokens = "200000/1m"
//! fuel = "5e12/1h"
//! concurrent = 8
//! ```
//!
//! Unknown fields and names that stand twice are refused. The file is written in one form; remarks in it are lost then.

use std::collections::HashSet;

use ampoule_signing::{Error as SigningError, Timestamp};
use ampoule_units::text;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::key_hash::{KeyHash, MacKeyId};
use crate::key_name::{KeyName, TenantName};
use crate::key_record::{KeyRecord, KeySettings};
use crate::permission::Role;
use crate::rates::Rates;
use crate::scope::{NamePattern, Scope, TaskName};

/// The version of the file's format.
const SCHEMA: u64 = 1;
/// Keys of one file: some megabytes, which are read within a second.
pub(crate) const MAX_KEYS: usize = 100_000;
/// The longest file.
pub(crate) const MAX_FILE_BYTES: u64 = 32 << 20;

/// All keys of a directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyFile {
    /// Id of the MAC key that all hashes were made with. A file without keys may lack it.
    pub(crate) mac_key: Option<MacKeyId>,
    pub(crate) keys: Vec<KeyRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    schema: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac_key: Option<MacKeyId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    key: Vec<WrittenKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    name: KeyName,
    hash: KeyHash,
    role: Role,
    tenant: TenantName,
    created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_after: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    models: Option<Vec<NamePattern>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tasks: Option<Vec<TaskName>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<KeyName>,
    #[serde(default, skip_serializing_if = "Rates::is_empty")]
    rates: Rates,
}

impl KeyFile {
    /// Reads the file's content.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let document = std::str::from_utf8(bytes)
            .map_err(|_| Error::Malformed("expected text in UTF-8".to_owned()))?;
        let written: WrittenFile = toml::from_str(document).map_err(|error| {
            // The message alone: with it comes the whole line that it is about.
            let message = text::sentence(error.message());
            let before = error.span().and_then(|span| document.get(..span.start));
            let line = before.map(|before| format!("line {}: ", before.matches('\n').count() + 1));
            Error::Malformed(format!("{}{message}", line.unwrap_or_default()))
        })?;
        if written.schema != SCHEMA {
            return Err(Error::Malformed(format!(
                "expected `schema = {SCHEMA}`, found {}; another version of Ampoule wrote it",
                written.schema
            )));
        }
        let file = Self {
            mac_key: written.mac_key,
            keys: written.key.into_iter().map(WrittenKey::read).collect(),
        };
        file.check()?;
        Ok(file)
    }

    /// Writes the file's content, which [`KeyFile::parse`] reads as the same keys.
    pub(crate) fn to_text(&self) -> Result<String> {
        self.check()?;
        let written = WrittenFile {
            schema: SCHEMA,
            mac_key: self.mac_key,
            key: self.keys.iter().map(WrittenKey::of).collect(),
        };
        let text = toml::to_string(&written)
            .map_err(|_| Error::Files(SigningError::Internal("the API keys")))?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(Error::TooMany(self.keys.len()));
        }
        Ok(text)
    }

    fn check(&self) -> Result<()> {
        if self.keys.len() > MAX_KEYS {
            return Err(Error::TooMany(self.keys.len()));
        }
        if self.mac_key.is_none() && !self.keys.is_empty() {
            return Err(Error::Malformed(
                "expected the field `mac_key` beside keys".to_owned(),
            ));
        }
        let mut names = HashSet::new();
        for key in &self.keys {
            if !names.insert(key.name) {
                return Err(Error::Malformed(format!(
                    "the key {} stands there twice",
                    key.name
                )));
            }
            key.settings
                .check()
                .map_err(|error| Error::Malformed(format!("the key {}: {error}", key.name)))?;
        }
        Ok(())
    }
}

impl WrittenKey {
    fn read(self) -> KeyRecord {
        KeyRecord {
            name: self.name,
            settings: KeySettings {
                role: self.role,
                tenant: self.tenant,
                scope: Scope {
                    models: self.models,
                    tasks: self.tasks,
                },
                rates: self.rates,
                not_after: self.not_after,
                note: self.note,
            },
            created: self.created,
            revoked: self.revoked,
            replaces: self.replaces,
            hash: self.hash,
        }
    }

    fn of(key: &KeyRecord) -> Self {
        let settings = &key.settings;
        Self {
            name: key.name,
            hash: key.hash.clone(),
            role: settings.role,
            tenant: settings.tenant.clone(),
            created: key.created,
            not_after: settings.not_after,
            models: settings.scope.models.clone(),
            tasks: settings.scope.tasks.clone(),
            note: settings.note.clone(),
            revoked: key.revoked,
            replaces: key.replaces,
            rates: settings.rates,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "\n[[key]]\nname = \"3f9c2a7be1d04c58\"\nhash = \"hmac-sha256:\
        abababababababababababababababababababababababababababababababab\"\nrole = \"infer\"\ntenant = \"acme\"\n\
        created = \"2026-11-30T09:00:00Z\"\n";
    const REST: &str = "not_after = \"2027-03-01T00:00:00Z\"\nmodels = [\"minilm\", \"tiny-*\"]\n\
        tasks = [\"text-embedding\"]\nnote = \"the search service\"\nrevoked = \"2027-01-01T00:00:00Z\"\n\
        replaces = \"77aa0e5d0c1b2f34\"\n\n[key.rates]\nrequests = \"100/1m\"\nburst = 20\ntokens = \"200000/1m\"\n\
        fuel = \"5000000000000/1h\"\nconcurrent = 8\n";
    const HEAD: &str = "schema = 1\nmac_key = \"d1c64e0bb4f1a9a0\"\n";

    fn refusal(text: &str) -> String {
        let refused = KeyFile::parse(text.as_bytes()).unwrap_err();
        assert_eq!(refused.code(), "key.malformed");
        refused.to_string()
    }

    #[test]
    fn the_documented_file_is_read_and_written_again_byte_for_byte() {
        for text in [
            "schema = 1\n".to_owned(),
            format!("{HEAD}{KEY}"),
            format!("{HEAD}{KEY}{REST}"),
        ] {
            let file = KeyFile::parse(text.as_bytes()).unwrap();
            assert_eq!(file.to_text().unwrap(), text);
        }
        let file = KeyFile::parse(format!("{HEAD}{KEY}{REST}").as_bytes()).unwrap();
        let settings = &file.keys[0].settings;
        assert_eq!(settings.tenant.to_string(), "acme");
        assert_eq!(settings.rates.concurrent.unwrap().get(), 8);
        assert!(settings.scope.has_model("tiny-vlm"));
    }

    #[test]
    fn a_list_without_an_entry_stays_one() {
        let text = format!("{HEAD}{KEY}models = []\n");
        let file = KeyFile::parse(text.as_bytes()).unwrap();
        assert!(!file.keys[0].settings.scope.has_model("minilm"));
        assert_eq!(file.to_text().unwrap(), text);
    }

    #[test]
    fn what_is_unknown_missing_doubled_or_of_another_kind_is_refused_with_its_line() {
        for (from, to, said) in [
            ("schema = 1\n", "", "schema"),
            ("schema = 1", "schema = 2", "schema = 1"),
            (
                "schema = 1",
                "schema = 1\nmore = 2",
                "line 2: unknown field `more`",
            ),
            ("mac_key = \"d1c64e0bb4f1a9a0\"\n", "", "mac_key"),
            (
                "role = \"infer\"",
                "role = \"root\"",
                "line 7: expected a role",
            ),
            ("role = \"infer\"\n", "", "role"),
            ("role = \"infer\"", "role = 7", "line 7"),
            (
                "role = \"infer\"",
                "role = \"infer\"\nrole = \"admin\"",
                "line 8: duplicate key",
            ),
            (
                "role = \"infer\"",
                "role = \"infer\"\nroles = []",
                "line 8: unknown field `roles`",
            ),
            ("tenant = \"acme\"", "tenant = \"Acme\"", "line 8"),
            ("hmac-sha256:ab", "hmac-sha256:a", "line 6: expected a hash"),
            ("hmac-sha256:ab", "sha256:ab", "line 6: expected a hash"),
            ("2026-11-30T09:00:00Z", "yesterday", "line 9"),
            ("\"tiny-*\"", "\"t*y\"", "expected a name, or the beginning"),
            ("burst = 20", "burst = 0", "line 19"),
            (
                "burst = 20",
                "bursts = 20",
                "line 19: unknown field `bursts`",
            ),
            ("requests = \"100/1m\"\n", "", "a burst is one of requests"),
            ("the search service", "two\\nlines", "a note of one line"),
        ] {
            let text = format!("{HEAD}{KEY}{REST}");
            assert!(text.contains(from), "{from}");
            let said_is = refusal(&text.replacen(from, to, 1));
            assert!(said_is.contains(said), "{from} → {to}: {said_is}");
        }
        let twice = refusal(&format!("{HEAD}{KEY}{KEY}"));
        assert!(
            twice.contains("3f9c2a7be1d04c58 stands there twice"),
            "{twice}"
        );
        assert!(refusal("schema = 1\n\u{0}").contains("line 2"));
        assert!(KeyFile::parse(b"schema = 1 # \xff").is_err());
    }
}
