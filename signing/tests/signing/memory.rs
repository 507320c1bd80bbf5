//! A bundle that is in memory is believed no more than one on disk.

use ampoule_signing::{Bundle, ByteSize, Result, Timestamp, TrustStore, VerifiedBundle};
use serde_json::json;

use crate::fixture::{FILES, Fixture, PUBLISHER};

fn verify(
    fixture: &Fixture,
    trust: &TrustStore,
    files: &[(&str, &[u8])],
) -> Result<VerifiedBundle> {
    let files = files.iter().map(|(name, bytes)| (*name, bytes.to_vec()));
    Bundle::from_memory(&fixture.envelope_bytes(), files)?.verify(trust, Timestamp::now())
}

#[test]
fn a_bundle_in_memory_is_verified_as_one_on_disk_is() {
    let fixture = Fixture::signed();
    let on_disk = fixture.verify().unwrap();
    let in_memory = verify(&fixture, &fixture.trust(), &FILES).unwrap();
    assert_eq!(in_memory.manifest_digest(), on_disk.manifest_digest());
    assert_eq!(in_memory.signers(), on_disk.signers());
    assert_eq!(in_memory.component(), on_disk.component());
    assert!(in_memory.files().eq(on_disk.files()));
}

#[test]
fn a_changed_cut_or_missing_file_in_memory_is_refused() {
    let fixture = Fixture::signed();
    let trust = fixture.trust();
    for (index, (name, content)) in FILES.iter().enumerate() {
        let refusal = |changed: &[u8]| {
            let mut files = FILES;
            files[index].1 = changed;
            verify(&fixture, &trust, &files).unwrap_err().code()
        };
        let mut flipped = content.to_vec();
        flipped[0] ^= 1;
        assert_eq!(refusal(&flipped), "file.digest", "{name}");
        assert_eq!(refusal(&content[1..]), "file.size", "{name}");
        assert_eq!(
            refusal(&[content, &b"x"[..]].concat()),
            "file.size",
            "{name}"
        );
        let mut files = FILES.to_vec();
        files.remove(index);
        let error = verify(&fixture, &trust, &files).unwrap_err();
        assert_eq!(error.code(), "file.missing", "{name}");
    }
}

#[test]
fn an_untrusted_or_malformed_envelope_in_memory_is_refused() {
    let fixture = Fixture::signed();
    let error = verify(&fixture, &TrustStore::new(), &FILES).unwrap_err();
    assert_eq!(error.code(), "trust.unknown-key");
    let error = Bundle::from_memory(b"{}", FILES).unwrap_err();
    assert_eq!(error.code(), "envelope.malformed");
    let bundle = Bundle::from_memory(&fixture.envelope_bytes(), FILES).unwrap();
    let error = bundle
        .with_max_size(ByteSize::from_bytes(1))
        .verify(&fixture.trust(), Timestamp::now())
        .unwrap_err();
    assert_eq!(error.code(), "file.too-large");
}

#[test]
fn a_key_for_one_model_is_refused_for_another_name_or_publisher() {
    let fixture = Fixture::signed();
    let mut trust = TrustStore::new();
    let key = fixture.key.public_key();
    trust
        .insert_model(key.clone(), PUBLISHER, "minilm")
        .unwrap();
    verify(&fixture, &trust, &FILES).unwrap();
    fixture.verify_with(&trust).unwrap();

    fixture.sign_changed(|manifest| manifest["name"] = json!("other"));
    let error = verify(&fixture, &trust, &FILES).unwrap_err();
    assert_eq!(error.code(), "trust.model");
    assert!(error.to_string().contains("acme/minilm"), "{error}");
    assert_eq!(fixture.refusal_with(&trust), "trust.model");

    fixture.sign_changed(|manifest| manifest["publisher"] = json!("other"));
    assert_eq!(fixture.refusal_with(&trust), "trust.publisher");
    let error = verify(&fixture, &trust, &FILES).unwrap_err();
    assert_eq!(error.code(), "trust.publisher");
}
