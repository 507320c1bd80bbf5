//! A token's three parts (RFC 7515, section 7.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::token_fault::TokenFault;

/// Bytes of a token: the largest that issuers make have 8 KiB.
const MAX_BYTES: usize = 8 * 1024;

/// Parts of a token, decoded. Nothing of them is checked yet.
pub(super) struct Compact<'t> {
    pub(super) header: Vec<u8>,
    pub(super) claims: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// Text that the signature is over.
    pub(super) signed: &'t [u8],
}

impl<'t> Compact<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    ///
    /// [`TokenFault::Form`] for a token of over 8 KiB, of more or fewer than three parts, with an empty part, or with a
    /// part in another spelling than the one of base64url without padding.
    pub(super) fn of(token: &'t [u8]) -> Result<Self, TokenFault> {
        Self::split(token).ok_or(TokenFault::Form)
    }

    fn split(token: &'t [u8]) -> Option<Self> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let signed = token.get(..header.len() + 1 + claims.len())?;
        Some(Self {
            header: decode(header)?,
            claims: decode(claims)?,
            signature: decode(signature)?,
            signed,
        })
    }
}

/// Decodes base64url without padding (RFC 4648, section 5). Every other spelling of the same bytes is refused, also that
/// with other bits behind the last byte. So is an empty text.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_one_spelling() {
        assert_eq!(decode(b"e30"), Some(b"{}".to_vec()));
        for wrong in ["", "e30=", "e31", "e3", "e", "e30\n", "e 30", "e+/0", "é30"] {
            assert_eq!(decode(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn three_parts_are_a_token() {
        let token = b"e30.e30.AQ";
        let parts = Compact::of(token).unwrap();
        assert_eq!((&parts.header[..], parts.signed), (&b"{}"[..], &token[..7]));
        assert_eq!(parts.signature, [1]);
        let long = format!("e30.{}.AQ", "A".repeat(MAX_BYTES));
        for wrong in [
            "",
            ".",
            "..",
            "e30.e30",
            "e30.e30.",
            "e30..AQ",
            ".e30.AQ",
            "e30.e30.AQ.",
            &long,
        ] {
            assert!(Compact::of(wrong.as_bytes()).is_err(), "{wrong:.20}");
        }
    }
}
