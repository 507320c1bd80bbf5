//! A token's header (RFC 7515, section 4.1).

use crate::jwt::strict_json;
use crate::token_fault::TokenFault;

/// Types of tokens that stand for a caller (RFC 7519, section 5.1, and RFC 9068, section 2.1). Tokens of other types,
/// such as the ones that end a session, are signed with the same keys.
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];
/// Bytes of a key's name.
const MAX_KEY_NAME: usize = 128;

/// Header of a token.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    /// Algorithm as the token names it. It only has to be the one of the issuer's keys.
    pub(super) algorithm: String,
    /// Name of the key among the issuer's.
    pub(super) key: Option<String>,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    ///
    /// [`TokenFault::Header`] for other members than `alg`, `typ`, `kid` and thumbprints. Members that carry a key or say
    /// where there is one (`jwk`, `jku`, `x5c`, `x5u`), change what is signed (`b64`, `zip`, `enc`) or must be understood
    /// (`crit`) are among the refused.
    pub(super) fn read(text: &[u8]) -> Result<Self, TokenFault> {
        Self::of(text).ok_or(TokenFault::Header)
    }

    fn of(text: &[u8]) -> Option<Self> {
        let (mut algorithm, mut key) = (None, None);
        for (name, value) in strict_json::parse(text)?.object()?.iter() {
            let value = value.text()?;
            match name {
                "alg" => algorithm = Some(value.to_owned()),
                "kid" => key = Some(is_key_name(value).then(|| value.to_owned())?),
                "typ" => {
                    TYPES
                        .iter()
                        .find(|known| known.eq_ignore_ascii_case(value))?;
                }
                // Thumbprints name a key, as `kid` does, and the issuers that write them write `kid` too.
                "x5t" | "x5t#S256" => {}
                _ => return None,
            }
        }
        Some(Self {
            algorithm: algorithm?,
            key,
        })
    }
}

/// Tells whether a text may be a key's name: 1 to 128 printable characters of ASCII.
pub(super) fn is_key_name(text: &str) -> bool {
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    (1..=MAX_KEY_NAME).contains(&text.len()) && is_printable
}
