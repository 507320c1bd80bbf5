//! Keys that check signatures.

use std::fmt;

use ampoule_signing::PublicKey;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use sha2::Sha256;

use crate::jwt::algorithm::TokenAlgorithm;
use crate::jwt::shared_secret::SharedSecret;

/// Bits of an RSA key's modulus.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2_048..=8_192;
/// The largest exponent of an RSA key that ring takes. Larger ones only make a check slow.
const MAX_RSA_EXPONENT: u64 = (1 << 33) - 1;
/// Beginning of an uncompressed point (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A key of one algorithm. The algorithm is the key's, and never taken from a token.
#[derive(Clone)]
pub(super) enum VerifyingKey {
    Ed25519(PublicKey),
    /// Point of P-256, uncompressed.
    P256([u8; 65]),
    /// Modulus and exponent, without zeros before them.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Shared(SharedSecret),
}

impl VerifyingKey {
    /// Makes a key of Ed25519 of its 32 bytes (RFC 8032, section 5.1.2). Weak ones are refused, as anybody could sign for
    /// them.
    pub(super) fn ed25519(point: &[u8]) -> Option<Self> {
        let key = PublicKey::from_bytes(point.try_into().ok()?);
        key.ok().map(Self::Ed25519)
    }

    /// Makes a key of P-256 of its coordinates, 32 bytes each.
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        let (x, y): (&[u8; 32], &[u8; 32]) = (x.try_into().ok()?, y.try_into().ok()?);
        let mut point = [UNCOMPRESSED; 65];
        let (_, rest) = point.split_first_mut()?;
        let (first, last) = rest.split_at_mut(32);
        first.copy_from_slice(x);
        last.copy_from_slice(y);
        is_on_p256(&point).then_some(Self::P256(point))
    }

    /// Makes a key of RSA of its modulus and exponent, big-endian without zeros before them.
    pub(super) fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<Self> {
        let first = *n.first()?;
        let bits = u32::try_from(n.len()).ok()?.checked_mul(8)? - first.leading_zeros();
        let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        let is_n = first != 0 && RSA_BITS.contains(&bits) && is_odd(&n);
        let is_short = e.len() <= 8 && e.first().is_some_and(|first| *first != 0);
        let value = e
            .iter()
            .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let is_e = is_short && (3..=MAX_RSA_EXPONENT).contains(&value) && is_odd(&e);
        (is_n && is_e).then_some(Self::Rsa { n, e })
    }

    pub(super) fn algorithm(&self) -> TokenAlgorithm {
        match self {
            Self::Ed25519(_) => TokenAlgorithm::EdDsa,
            Self::P256(_) => TokenAlgorithm::Es256,
            Self::Rsa { .. } => TokenAlgorithm::Rs256,
            Self::Shared(_) => TokenAlgorithm::Hs256,
        }
    }

    /// Tells whether a signature is this key's over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => signature
                .try_into()
                .is_ok_and(|signature| key.verify(message, signature)),
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            // In a time that does not depend on how much of it is right.
            Self::Shared(secret) => <Hmac<Sha256>>::new_from_slice(secret.bytes())
                .is_ok_and(|code| code.chain_update(message).verify_slice(signature).is_ok()),
        }
    }
}

/// Tells whether a point is one of P-256. Only an agreement on a key checks that by itself, so one is made and dropped.
fn is_on_p256(point: &[u8; 65]) -> bool {
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new());
    let agree = |own| {
        let theirs = agreement::UnparsedPublicKey::new(&ECDH_P256, point);
        agreement::agree_ephemeral(own, &theirs, |_| ())
    };
    own.and_then(agree).is_ok()
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.algorithm())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_too_short_or_no_keys_are_refused() {
        let n = |bytes: usize| {
            let mut n = vec![0xff; bytes];
            n[0] = 0x80;
            n
        };
        let e = || vec![1, 0, 1];
        assert!(VerifyingKey::rsa(n(256), e()).is_some());
        assert!(VerifyingKey::rsa(n(1_024), vec![3]).is_some());
        for (n, e) in [
            (n(255), e()),
            (n(128), e()),
            (n(1_025), e()),
            ([vec![0x7f], n(255)].concat(), e()),
            ([vec![0], n(256)].concat(), e()),
            ([n(255), vec![0]].concat(), e()),
            (Vec::new(), e()),
            (n(256), vec![]),
            (n(256), vec![1]),
            (n(256), vec![2]),
            (n(256), vec![0, 1, 0, 1]),
            (n(256), vec![3, 0, 0, 0, 1]),
            (n(256), vec![1; 9]),
        ] {
            assert!(
                VerifyingKey::rsa(n.clone(), e.clone()).is_none(),
                "{} {e:?}",
                n.len()
            );
        }
        // The point (0, 0), a point of no curve, and coordinates of other curves' lengths.
        assert!(VerifyingKey::p256(&[0; 32], &[0; 32]).is_none());
        assert!(VerifyingKey::p256(&[1; 32], &[2; 32]).is_none());
        assert!(VerifyingKey::p256(&[1; 48], &[2; 48]).is_none());
        // The neutral element, for which anybody can sign.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert!(VerifyingKey::ed25519(&neutral).is_none());
        assert!(VerifyingKey::ed25519(&[0; 31]).is_none());
    }

    #[test]
    fn no_key_is_shown() {
        let key = VerifyingKey::Shared("s".repeat(32).parse().unwrap());
        assert_eq!(format!("{key:?}"), "VerifyingKey(HS256)");
    }
}
