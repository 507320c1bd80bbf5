//! A public key of low order makes plain Ed25519 verification accept what nobody signed.

use std::fs;

use ampoule_signing::{Envelope, PublicKey, TrustStore};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use curve25519_dalek::Scalar;
use ed25519_dalek::{Signature, SigningKey, Verifier as _, VerifyingKey};
use pkcs8::spki::EncodePublicKey as _;
use serde_json::json;
use sha2::{Digest as _, Sha512};

use crate::fixture::{Fixture, PUBLISHER};

/// The encodings of y = 0, an order-4 point; of the neutral element; and of the order-2 point.
fn low_order_points() -> [[u8; 32]; 3] {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut order_2 = [0xff; 32];
    order_2[0] = 0xec;
    order_2[31] = 0x7f;
    [[0; 32], neutral, order_2]
}

pub(crate) fn spki_pem(point: [u8; 32]) -> String {
    ed25519_dalek::pkcs8::PublicKeyBytes(point)
        .to_public_key_pem(pkcs8::LineEnding::LF)
        .unwrap()
}

/// R = the neutral element, S = 0. For a key A of order 4 the equation S·B = R + k·A holds
/// whenever the hash k is a multiple of 4: for one message in four.
fn forged() -> Signature {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    Signature::from_bytes(&bytes)
}

#[test]
fn an_all_zero_public_key_with_a_forged_signature_is_refused() {
    let zero = VerifyingKey::from_bytes(&[0; 32]).unwrap();
    let fixture = Fixture::unsigned();
    let mut manifest = fixture.manifest_json();

    // The forger has no key at all: a field that nobody looks at is changed until it fits.
    let accepted = (0..64).find_map(|attempt: u32| {
        manifest["annotations"] = json!({ "attempt": attempt.to_string() });
        let payload = manifest.to_string().into_bytes();
        let message = ampoule_signing::pae(ampoule_signing::PAYLOAD_TYPE, &payload);
        zero.verify(&message, &forged())
            .ok()
            .map(|()| (payload, message))
    });
    let (payload, message) =
        accepted.expect("plain verification accepts one forgery in four, so one of 64");

    // Strict verification refuses it.
    assert!(zero.verify_strict(&message, &forged()).is_err());

    // So does loading the key, from a file and from a trust store.
    let pem = spki_pem([0; 32]);
    assert_eq!(
        PublicKey::from_pem(&pem).unwrap_err().code(),
        "trust.weak-key"
    );
    let trust_dir = fixture.beside("trust");
    TrustStore::update(&trust_dir, |_| Ok(())).unwrap();
    fs::write(
        trust_dir.join("trust.toml"),
        format!(
            "schema = 1\n[[delegations]]\nmodels = [\"{PUBLISHER}/*\"]\n[[delegations.keys]]\n\
             public_key = \"\"\"\n{pem}\"\"\"\n"
        ),
    )
    .unwrap();
    assert_eq!(
        TrustStore::open(&trust_dir).unwrap_err().code(),
        "trust.weak-key"
    );

    // And a bundle so signed is a stranger's.
    let spki = pkcs8::Document::from_pem(&pem).unwrap().1;
    let key_id = ampoule_signing::Sha256Digest::of(spki.as_bytes());
    let envelope = format!(
        r#"{{"payload":"{}","payloadType":"{}","signatures":[{{"keyid":"{key_id}","sig":"{}"}}]}}"#,
        BASE64.encode(&payload),
        ampoule_signing::PAYLOAD_TYPE,
        BASE64.encode(forged().to_bytes()),
    );
    Envelope::parse(envelope.as_bytes()).expect("the envelope itself is in order");
    fixture.write_envelope(envelope.as_bytes());
    assert_eq!(fixture.refusal(), "trust.unknown-key");
}

#[test]
fn public_keys_of_low_order_are_refused() {
    for point in low_order_points() {
        assert_eq!(
            PublicKey::from_pem(&spki_pem(point)).unwrap_err().code(),
            "trust.weak-key"
        );
    }
}

#[test]
fn public_keys_with_a_component_of_low_order_are_refused() {
    // The order-4 point added to an honest key: it is not weak by dalek's `is_weak`, but two
    // different keys would then accept signatures of one.
    let honest = SigningKey::from_bytes(&[7; 32])
        .verifying_key()
        .to_edwards();
    let torsion = VerifyingKey::from_bytes(&[0; 32]).unwrap().to_edwards();
    let mixed = VerifyingKey::from(honest + torsion);
    assert!(!mixed.is_weak());
    let refused = PublicKey::from_pem(&spki_pem(mixed.to_bytes())).unwrap_err();
    assert_eq!(refused.code(), "trust.weak-key");
}

#[test]
fn public_keys_that_are_no_point_are_refused() {
    let mut no_point = [0; 32];
    no_point[0] = 2;
    assert!(
        VerifyingKey::from_bytes(&no_point).is_err(),
        "y = 2 is on no point"
    );
    let refused = PublicKey::from_pem(&spki_pem(no_point)).unwrap_err();
    assert_eq!(refused.code(), "trust.weak-key");
}

#[test]
fn public_keys_in_a_second_encoding_are_refused() {
    // A y from 0 to 18 can also be written as y + p, with p = 2^255 - 19: these are all of the
    // encodings that are not canonical. dalek reads most of them.
    let mut read_by_dalek = 0;
    for (y, sign) in (0..19u8).flat_map(|y| [(y, 0x00), (y, 0x80)]) {
        let mut second = [0xff; 32];
        second[0] = 0xed + y;
        second[31] = 0x7f | sign;
        read_by_dalek += usize::from(VerifyingKey::from_bytes(&second).is_ok());
        let refused = PublicKey::from_pem(&spki_pem(second)).unwrap_err();
        assert_eq!(refused.code(), "trust.weak-key", "y = {y} + p");
    }
    assert!(read_by_dalek > 20, "{read_by_dalek}");
}

#[test]
fn a_signature_with_a_low_order_r_is_refused() {
    // With R = the neutral element and S = k·a the equation S·B = R + k·A holds, so plain
    // verification accepts what only strict verification refuses. (It also gives the key away.)
    let signing = SigningKey::from_bytes(&[7; 32]);
    let mut bytes = forged().to_bytes();
    let challenge = Sha512::new()
        .chain_update(&bytes[..32])
        .chain_update(signing.verifying_key().as_bytes())
        .chain_update(b"message")
        .finalize();
    let k = Scalar::from_bytes_mod_order_wide(&challenge.into());
    bytes[32..].copy_from_slice((k * signing.to_scalar()).as_bytes());
    let signature = Signature::from_bytes(&bytes);
    signing
        .verifying_key()
        .verify(b"message", &signature)
        .expect("plain verification accepts it");
    let public = PublicKey::from_pem(&spki_pem(signing.verifying_key().to_bytes())).unwrap();
    assert!(!public.verify(b"message", &bytes));
}
