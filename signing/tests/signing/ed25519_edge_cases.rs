//! The signatures about which Ed25519 libraries disagree: the twelve cases of "Taming the many EdDSAs"
//! (Chalkias, Garillot, Nikolaenko, 2020, table 5), each made anew here, with a proof of what it is.
//!
//! | case | key A | R | S | cofactored | cofactorless | dalek's `verify` | `verify_strict` | here |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | 0 | small | small | 0 | yes | yes | accepts | refuses | the key is refused |
//! | 1 | small | mixed | in order | yes | yes | accepts | refuses | the key is refused |
//! | 2 | mixed | small | in order | yes | yes | accepts | refuses | the key is refused |
//! | 3 | mixed | mixed | in order | yes | yes | accepts | **accepts** | the key is refused |
//! | 4 | mixed | mixed | in order | yes | no | refuses | refuses | the key is refused |
//! | 5 | mixed | prime | in order | yes, unless 8k is reduced first | no | refuses | refuses | the key is refused |
//! | 6 | prime | prime | S + L | yes | yes | refuses | refuses | the signature is refused |
//! | 7 | prime | prime | S + 15L | yes | yes | refuses | refuses | the signature is refused |
//! | 8 | mixed | small, written as y + p, hashed as y | in order | yes | yes | refuses | refuses | the key is refused |
//! | 9 | mixed | small, written and hashed as y + p | in order | yes | yes | refuses | refuses | the key is refused |
//! | 10 | small, written as y + p, hashed as y | mixed | in order | yes | yes | refuses | refuses | the key is refused |
//! | 11 | small, written and hashed as y + p | mixed | in order | yes | yes | accepts | refuses | the key is refused |
//!
//! So case 3 is why a key with a component of low order does not load: strict verification alone would
//! let one signature count under several spellings of its key. With keys of prime order that leaves R
//! and S, for which the same is shown below.

use ampoule_signing::PublicKey;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::traits::IsIdentity as _;
use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use sha2::{Digest as _, Sha512};

use crate::weak_key::spki_pem;

/// L, the order of the base point, in little-endian bytes (RFC 8032, section 5.1).
pub(crate) const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// p = 2^255 - 19 in place of y = 0, a point of order 4: read like it, and another 32 bytes.
const ZERO_AS_P: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
};

/// A point, as it is written and as it is hashed.
#[derive(Clone, Copy)]
struct Encoded {
    point: EdwardsPoint,
    written: [u8; 32],
    hashed: [u8; 32],
}

impl From<EdwardsPoint> for Encoded {
    fn from(point: EdwardsPoint) -> Self {
        let bytes = point.compress().to_bytes();
        Self {
            point,
            written: bytes,
            hashed: bytes,
        }
    }
}

/// A case, decided by arithmetic of our own.
#[derive(Debug, PartialEq, Eq)]
struct Equations {
    /// 8·S·B = 8·R + 8·k·A
    cofactored: bool,
    /// S·B = R + k·A
    cofactorless: bool,
}

const BOTH: Equations = Equations {
    cofactored: true,
    cofactorless: true,
};
const COFACTORED: Equations = Equations {
    cofactored: true,
    cofactorless: false,
};

struct Case {
    key: Encoded,
    message: Vec<u8>,
    signature: [u8; 64],
    equations: Equations,
}

/// The hash that enters the equation, reduced.
fn challenge(r: &Encoded, key: &Encoded, message: &[u8]) -> Scalar {
    let hash = Sha512::new()
        .chain_update(r.hashed)
        .chain_update(key.hashed)
        .chain_update(message)
        .finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

/// L times a point, which leaves of it a multiple of its part of low order.
fn times_order(point: EdwardsPoint) -> EdwardsPoint {
    point * (Scalar::ZERO - Scalar::ONE) + point
}

/// Signs with the secrets `a` of the key and `r` of R a message that `fits`, by the case and its
/// challenge.
fn sign(
    (key, a): (Encoded, u64),
    (r_point, r): (Encoded, u64),
    fits: impl Fn(&Case, Scalar) -> bool,
) -> Case {
    let (a, r) = (Scalar::from(a), Scalar::from(r));
    for attempt in 0..10_000_u32 {
        let message = attempt.to_le_bytes().to_vec();
        let k = challenge(&r_point, &key, &message);
        let s = r + k * a;
        let difference = EdwardsPoint::mul_base(&s) - r_point.point - key.point * k;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r_point.written);
        signature[32..].copy_from_slice(s.as_bytes());
        let case = Case {
            key,
            message,
            signature,
            equations: Equations {
                cofactored: difference.mul_by_cofactor().is_identity(),
                cofactorless: difference.is_identity(),
            },
        };
        if fits(&case, k) {
            return case;
        }
    }
    panic!("one message in some eight fits")
}

/// a·B, with a part of low order or without.
fn point(secret: u64, torsion: usize) -> Encoded {
    (EdwardsPoint::mul_base(&Scalar::from(secret)) + EIGHT_TORSION[torsion]).into()
}

/// Returns the signature with S + times·L in place of S.
pub(crate) fn with_larger_s(signature: &[u8; 64], times: usize) -> [u8; 64] {
    let mut larger = *signature;
    for _ in 0..times {
        let mut carry = 0;
        for (byte, order) in larger[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        assert_eq!(carry, 0, "S is 32 bytes long");
    }
    larger
}

/// The equation without cofactor holds.
fn holds(case: &Case, _: Scalar) -> bool {
    case.equations.cofactorless
}

fn any(_: &Case, _: Scalar) -> bool {
    true
}

fn twelve_cases() -> [Case; 12] {
    let strange = |hashed| Encoded {
        point: CompressedEdwardsY(ZERO_AS_P).decompress().unwrap(),
        written: ZERO_AS_P,
        hashed,
    };
    let mixed = (point(5, 1), 5);
    let honest = sign((point(5, 0), 5), (point(9, 0), 9), holds);
    let larger = |times| Case {
        key: honest.key,
        message: honest.message.clone(),
        signature: with_larger_s(&honest.signature, times),
        equations: BOTH,
    };
    [
        sign((point(0, 1), 0), (point(0, 3), 0), holds),
        sign((point(0, 1), 0), (point(9, 3), 9), holds),
        sign(mixed, (point(0, 3), 0), holds),
        sign(mixed, (point(9, 3), 9), holds),
        sign(mixed, (point(9, 3), 9), |case, k| !holds(case, k)),
        // Where 8k is reduced modulo L first, its multiple of the part of low order is not neutral.
        sign(mixed, (point(9, 0), 9), |case, k| {
            let reduced = mixed.0.point * (Scalar::from(8_u8) * k);
            !holds(case, k) && !times_order(reduced).is_identity()
        }),
        larger(1),
        larger(15),
        sign(mixed, (strange([0; 32]), 0), holds),
        sign(mixed, (strange(ZERO_AS_P), 0), holds),
        // Whoever hashes what is written gets another challenge, which fits for one message in four.
        sign((strange([0; 32]), 0), (point(9, 2), 9), |case, k| {
            holds(case, k) && dalek(case) == NEITHER
        }),
        sign((strange(ZERO_AS_P), 0), (point(9, 2), 9), holds),
    ]
}

const PLAIN: [bool; 2] = [true, false];
const NEITHER: [bool; 2] = [false, false];

/// Which functions accept a signature: dalek's plain and its strict one.
fn dalek(case: &Case) -> [bool; 2] {
    let key = VerifyingKey::from_bytes(&case.key.written).unwrap();
    let signature = Signature::from_bytes(&case.signature);
    [
        key.verify(&case.message, &signature).is_ok(),
        key.verify_strict(&case.message, &signature).is_ok(),
    ]
}

#[test]
fn none_of_the_signatures_that_libraries_disagree_about_is_accepted() {
    let expected = [
        (BOTH, PLAIN, true),
        (BOTH, PLAIN, true),
        (BOTH, PLAIN, true),
        (BOTH, [true, true], true),
        (COFACTORED, NEITHER, true),
        (COFACTORED, NEITHER, true),
        (BOTH, NEITHER, false),
        (BOTH, NEITHER, false),
        (BOTH, NEITHER, true),
        (BOTH, NEITHER, true),
        (BOTH, NEITHER, true),
        (BOTH, PLAIN, true),
    ];
    for (number, (case, (equations, by_dalek, weak_key))) in
        twelve_cases().iter().zip(expected).enumerate()
    {
        assert_eq!(case.equations, equations, "case {number}");
        assert_eq!(dalek(case), by_dalek, "case {number}");
        let key = PublicKey::from_pem(&spki_pem(case.key.written));
        match key {
            Err(error) => {
                assert_eq!(error.code(), "trust.weak-key", "case {number}");
                assert!(weak_key, "case {number}");
            }
            Ok(key) => {
                assert!(!weak_key, "case {number}");
                assert!(!key.verify(&case.message, &case.signature), "case {number}");
            }
        }
    }
}

/// With a key that loads: every part of low order in R, every other spelling of R, every larger S.
#[test]
fn a_key_of_prime_order_has_one_signature_for_each_r() {
    let key = (point(5, 0), 5);
    let public = PublicKey::from_pem(&spki_pem(key.0.written)).unwrap();
    let honest = sign(key, (point(9, 0), 9), holds);
    assert!(public.verify(&honest.message, &honest.signature));
    for times in 1..=15 {
        let larger = with_larger_s(&honest.signature, times);
        assert!(!public.verify(&honest.message, &larger), "S + {times}L");
    }
    for torsion in 1..8 {
        // It fits when both sides are multiplied by the cofactor.
        let mixed = sign(key, (point(9, torsion), 9), any);
        assert_eq!(mixed.equations, COFACTORED);
        assert!(!public.verify(&mixed.message, &mixed.signature));
    }
    for torsion in 0..8 {
        let small = sign(key, (point(0, torsion), 0), any);
        assert_eq!(small.equations.cofactorless, torsion == 0);
        assert!(small.equations.cofactored);
        assert!(!public.verify(&small.message, &small.signature));
    }
    // Every y that can be written as y + p, with either sign: 0 to 18.
    let mut read = 0;
    for (y, sign_bit) in (0..19).flat_map(|y| [(y, 0x00), (y, 0x80)]) {
        let mut written = [0xff; 32];
        written[0] = 0xed + y;
        written[31] = 0x7f | sign_bit;
        let Some(point) = CompressedEdwardsY(written).decompress() else {
            continue;
        };
        read += 1;
        let mut canonical = [0; 32];
        canonical[0] = y;
        canonical[31] = sign_bit;
        for hashed in [written, canonical] {
            let strange = Encoded {
                point,
                written,
                hashed,
            };
            // Of what is not of low order nobody knows the secret; S is then what it may be.
            let case = sign(key, (strange, 0), any);
            assert!(
                !public.verify(&case.message, &case.signature),
                "y = {y} + p"
            );
        }
    }
    assert!(read > 20, "{read}");
}
