//! Public names: of API keys and of tenants.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ampoule_units::{ParseError, hex, text};

use crate::text_form::text_form;

/// Public name of an API key: the first part of its text, and no secret. Text form: 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName([u8; 8]);

impl KeyName {
    pub(crate) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyName {
    type Err = ParseError;

    /// Refuses other texts without repeating them: somebody may have put the key itself in the name's place.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        hex::read(text).map(Self).ok_or_else(|| {
            ParseError("expected the name of a key, which is 16 digits from 0-9 and a-f".to_owned())
        })
    }
}

text_form!(KeyName);

/// Name of a tenant: those who share limits, a place in the queue, and nothing with other tenants. Text form: 1 to 64
/// characters from a-z, 0-9 and -._, beginning with a letter or a digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantName(Arc<str>);

/// Characters of a tenant's name: it stands in each line of a log.
const MAX_TENANT_CHARS: usize = 64;

impl TenantName {
    /// Returns the name itself, shared.
    #[must_use]
    pub const fn shared(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TenantName {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Self, ParseError> {
        let is_start = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_rest = |byte: u8| is_start(&byte) || b"-._".contains(&byte);
        let is_name = name.as_bytes().first().is_some_and(is_start) && name.bytes().all(is_rest);
        if is_name && name.len() <= MAX_TENANT_CHARS {
            return Ok(Self(name.into()));
        }
        let found = text::name(name);
        Err(ParseError(format!(
            "expected the name of a tenant, 1 to {MAX_TENANT_CHARS} characters from a-z, 0-9 and -._ that begin with \
             a letter or a digit, found {found:?}"
        )))
    }
}

text_form!(TenantName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_name_has_one_spelling_and_a_wrong_one_is_not_repeated() {
        let name: KeyName = "3f9c2a7be1d04c58".parse().unwrap();
        assert_eq!(name.to_string(), "3f9c2a7be1d04c58");
        for wrong in [
            "3F9C2A7BE1D04C58",
            "3f9c2a7be1d04c5",
            "amp_3f9c2a7be1d04c58",
            "",
        ] {
            let refused = wrong.parse::<KeyName>().unwrap_err().to_string();
            assert!(wrong.is_empty() || !refused.contains(wrong), "{refused}");
        }
    }

    #[test]
    fn tenants_names_are_plain() {
        let longest = "a".repeat(MAX_TENANT_CHARS);
        for name in ["acme", "7", "acme-2.eu_west", &longest] {
            assert_eq!(name.parse::<TenantName>().unwrap().to_string(), name);
        }
        for wrong in [
            "",
            "Acme",
            "-a",
            ".",
            "a b",
            "a/b",
            "ä",
            "a\n",
            &format!("{longest}a"),
        ] {
            assert!(wrong.parse::<TenantName>().is_err(), "{wrong:?}");
        }
    }
}
