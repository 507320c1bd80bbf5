//! Secrets that issuers share with a server.

use std::fmt;
use std::str::FromStr;

use ampoule_units::ParseError;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a secret. SHA-256 gives 32, and a shorter secret could be guessed (RFC 7518, section 3.2).
const BYTES: std::ops::RangeInclusive<usize> = 32..=1_024;

/// A secret for `HS256`, of 32 to 1,024 bytes. Text form, in a variable, a file or a credential: the bytes themselves,
/// and at most one line end. It is wiped from memory when dropped, and no `Debug` shows it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SharedSecret(Vec<u8>);

impl SharedSecret {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for SharedSecret {
    type Err = ParseError;

    /// Refuses other texts without repeating them.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let secret = text.strip_suffix('\n').unwrap_or(text);
        if BYTES.contains(&secret.len()) {
            return Ok(Self(secret.as_bytes().to_vec()));
        }
        Err(ParseError(format!(
            "expected a secret of {} to {} bytes, found {}; `openssl rand -hex 32` makes one",
            BYTES.start(),
            BYTES.end(),
            secret.len()
        )))
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_enough_and_is_not_shown() {
        let long = "s".repeat(32);
        let secret: SharedSecret = format!("{long}\n").parse().unwrap();
        assert_eq!(format!("{secret:?}"), "SharedSecret(…)");
        assert_eq!(secret.bytes(), long.as_bytes());
        for wrong in [&long[1..], "", &"s".repeat(1_025)] {
            let refused = wrong.parse::<SharedSecret>().unwrap_err().to_string();
            assert!(!refused.contains("ssss"), "{refused}");
        }
    }
}
