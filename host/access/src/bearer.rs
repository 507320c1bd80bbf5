//! The `Authorization` header, and the credential in it.

use std::fmt;

use crate::denial::Reason;
use crate::key_text::KeyText;

/// Bytes of the header: the largest tokens that issuers make have 8 KiB.
const MAX_BYTES: usize = 8 * 1024;
const SCHEME: &[u8] = b"Bearer";

/// A credential as a client presents it. Nothing of it is checked yet.
pub enum Presented<'h> {
    /// None at all.
    Nothing,
    /// An API key.
    Key(KeyText),
    /// A text in three parts, as signed tokens have them.
    Token(&'h [u8]),
}

impl<'h> Presented<'h> {
    /// Finds the credential in the values of a request's `Authorization` headers (RFC 9110, section 11.6.2, and RFC
    /// 6750, section 2.1).
    ///
    /// # Errors
    ///
    /// [`Reason::Several`], [`Reason::TooLong`], [`Reason::Scheme`], [`Reason::Malformed`].
    pub fn find(headers: &[&'h [u8]]) -> Result<Self, Reason> {
        let header = match headers {
            [] => return Ok(Self::Nothing),
            [header] => *header,
            // Proxies and servers that each take another of them would disagree on the caller.
            _ => return Err(Reason::Several),
        };
        if header.len() > MAX_BYTES {
            return Err(Reason::TooLong);
        }
        let header = header.trim_ascii();
        let end = header.iter().position(|byte| *byte == b' ');
        let (scheme, rest) = header.split_at(end.unwrap_or(header.len()));
        if scheme.is_empty() {
            return Ok(Self::Nothing);
        }
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(Reason::Scheme);
        }
        let credential = rest.trim_ascii_start();
        // Clients whose key is not set send the scheme alone.
        if credential.is_empty() {
            return Ok(Self::Nothing);
        }
        Self::of_credential(credential)
    }

    fn of_credential(credential: &'h [u8]) -> Result<Self, Reason> {
        if KeyText::looks_like_one(credential) {
            return KeyText::parse(credential)
                .map(Self::Key)
                .ok_or(Reason::Malformed);
        }
        let is_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        let is_part = |part: &[u8]| part.iter().all(is_base64url);
        let mut parts = credential.split(|byte| *byte == b'.');
        let is_token = parts.clone().count() == 3 && parts.all(is_part);
        is_token
            .then_some(Self::Token(credential))
            .ok_or(Reason::Malformed)
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Key(key) => f.debug_tuple("Key").field(key).finish(),
            // A token is a secret.
            Self::Token(_) => f.write_str("Token(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(headers: &[&str]) -> &'static str {
        let headers: Vec<_> = headers.iter().map(|header| header.as_bytes()).collect();
        match Presented::find(&headers) {
            Ok(Presented::Nothing) => "nothing",
            Ok(Presented::Key(_)) => "key",
            Ok(Presented::Token(_)) => "token",
            Err(reason) => reason.code(),
        }
    }

    #[test]
    fn a_key_and_a_token_are_found_behind_the_scheme_in_any_case() {
        let key = format!("amp_3f9c2a7be1d04c58_{}", "ab".repeat(32));
        for scheme in ["Bearer ", "bearer ", "BEARER   ", "  Bearer "] {
            assert_eq!(kind(&[&format!("{scheme}{key}")]), "key", "{scheme:?}");
            assert_eq!(kind(&[&format!("{scheme}eyJh.e30.c2ln")]), "token");
        }
        // An empty part is left to who reads tokens.
        assert_eq!(kind(&["Bearer eyJh.e30."]), "token");
    }

    #[test]
    fn everything_else_is_nothing_or_refused_with_its_reason() {
        let key = format!("amp_3f9c2a7be1d04c58_{}", "ab".repeat(32));
        let bearer = format!("Bearer {key}");
        let long = format!("Bearer {}", "a".repeat(MAX_BYTES));
        for (headers, expected) in [
            (&[][..], "nothing"),
            (&[""], "nothing"),
            (&["   "], "nothing"),
            (&["Bearer"], "nothing"),
            (&["Bearer  "], "nothing"),
            (&[&bearer, &bearer], "several"),
            (&["", ""], "several"),
            (&[&long], "too-long"),
            (&["Basic YTpi"], "scheme"),
            (&[&key], "scheme"),
            (&["Bearer\tx"], "scheme"),
            (&["Bearerx y"], "scheme"),
            (&["Bearer ollama"], "malformed"),
            (&["Bearer a.b"], "malformed"),
            (&["Bearer a.b.c.d"], "malformed"),
            (&["Bearer a.b.c=="], "malformed"),
            (&["Bearer a.b.c d"], "malformed"),
            (&[&bearer[..bearer.len() - 1]], "malformed"),
            (&[&format!("{bearer},{key}")], "malformed"),
            (&[&format!("{bearer} {key}")], "malformed"),
        ] {
            assert_eq!(kind(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_is_presented_is_not_shown() {
        let secret = "ab".repeat(32);
        let key = format!("Bearer amp_3f9c2a7be1d04c58_{secret}");
        for header in [key.as_str(), "Bearer abababab.abababab.abababab"] {
            let shown = format!("{:?}", Presented::find(&[header.as_bytes()]).unwrap());
            assert!(!shown.contains("abababab"), "{shown}");
        }
    }
}
