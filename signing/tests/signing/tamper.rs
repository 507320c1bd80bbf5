//! A bundle that was changed after signing, or signed by the wrong hand, is refused with a code
//! that says how. `Fixture::refusal` also checks that nothing on disk changes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use ampoule_signing::{
    Bundle, ENVELOPE_FILE, Envelope, MANIFEST_FILE, SecretKey, Sha256Digest, Timestamp, TrustStore,
};
use serde_json::{Value, json};

use crate::fixture::{FILES, Fixture, PUBLISHER, trust};

#[test]
fn a_signed_bundle_is_verified_and_gives_the_bytes_that_were_verified() {
    let fixture = Fixture::signed();
    let verified = fixture.verify().unwrap();
    assert_eq!(verified.manifest().publisher(), PUBLISHER);
    assert_eq!(verified.signers(), [fixture.key.public_key().key_id()]);
    assert_eq!(&verified.component()[..], FILES[0].1);
    let files: Vec<_> = verified
        .files()
        .map(|(name, bytes)| (name, &bytes[..]))
        .collect();
    assert_eq!(files, FILES[1..]);
    assert_eq!(
        verified.file("tokenizer.json").map(|bytes| &bytes[..]),
        Some(FILES[3].1)
    );
    assert_eq!(
        verified.file("component.wasm"),
        None,
        "the component is no asset"
    );
    assert_eq!(verified.file("onnx/../tokenizer.json"), None);
    let payload = fs::read(fixture.file(MANIFEST_FILE)).unwrap();
    assert_eq!(verified.manifest_digest(), Sha256Digest::of(&payload));
}

#[test]
fn files_that_are_not_in_the_manifest_are_never_used() {
    let fixture = Fixture::signed();
    fs::write(fixture.file("extra.bin"), b"extra").unwrap();
    fs::remove_file(fixture.file(MANIFEST_FILE)).unwrap();
    let verified = fixture.verify().unwrap();
    assert_eq!(verified.file("extra.bin"), None);
    assert_eq!(verified.files().count(), 3);
}

#[test]
fn a_bundle_with_one_flipped_byte_in_a_file_is_refused() {
    let fixture = Fixture::signed();
    for (name, content) in FILES {
        for position in 0..content.len() {
            let mut changed = content.to_vec();
            changed[position] ^= 1;
            fs::write(fixture.file(name), changed).unwrap();
            assert_eq!(fixture.refusal(), "file.digest", "{name}, byte {position}");
        }
        fs::write(fixture.file(name), content).unwrap();
    }
    fixture.verify().unwrap();
}

#[test]
fn an_envelope_with_one_flipped_byte_anywhere_is_refused() {
    let fixture = Fixture::signed();
    let bytes = fixture.envelope_bytes();
    let trust = fixture.trust();
    for position in 0..bytes.len() {
        for bit in [0x01, 0x20] {
            let mut changed = bytes.clone();
            changed[position] ^= bit;
            fixture.write_envelope(&changed);
            let code = fixture.verify_with(&trust).unwrap_err().code();
            assert!(
                [
                    "envelope.malformed",
                    "envelope.payload-type",
                    "signature.invalid",
                    "trust.unknown-key"
                ]
                .contains(&code),
                "{code}, byte {position}"
            );
        }
    }
    fixture.write_envelope(&bytes);
    fixture.verify().unwrap();
}

/// Changes one character of a field of the envelope, keeping it well-formed.
fn change_field(fixture: &Fixture, pointer: &str, position: usize) {
    let mut envelope: Value = serde_json::from_slice(&fixture.envelope_bytes()).unwrap();
    let field = envelope.pointer_mut(pointer).unwrap();
    let mut text = field.as_str().unwrap().to_owned();
    let other = if &text[position..=position] == "a" {
        "b"
    } else {
        "a"
    };
    text.replace_range(position..=position, other);
    *field = text.into();
    // serde_json's map is sorted, and the canonical order of these fields happens to be sorted too.
    fixture.write_envelope(envelope.to_string().as_bytes());
}

#[test]
fn a_changed_payload_is_refused() {
    let fixture = Fixture::signed();
    change_field(&fixture, "/payload", 100);
    assert_eq!(fixture.refusal(), "signature.invalid");
}

#[test]
fn a_changed_signature_is_refused() {
    for position in [0, 50] {
        let fixture = Fixture::signed();
        change_field(&fixture, "/signatures/0/sig", position);
        assert_eq!(fixture.refusal(), "signature.invalid");
    }
}

#[test]
fn a_changed_key_id_is_refused() {
    let fixture = Fixture::signed();
    change_field(&fixture, "/signatures/0/keyid", 10);
    assert_eq!(fixture.refusal(), "trust.unknown-key");
}

#[test]
fn a_key_id_that_is_another_trusted_keys_is_refused() {
    let fixture = Fixture::signed();
    let other = SecretKey::generate().unwrap();
    let mut envelope: Value = serde_json::from_slice(&fixture.envelope_bytes()).unwrap();
    envelope["signatures"][0]["keyid"] = other.public_key().key_id().to_string().into();
    fixture.write_envelope(envelope.to_string().as_bytes());
    let mut trust = fixture.trust();
    trust
        .insert(other.public_key().clone(), [PUBLISHER])
        .unwrap();
    assert_eq!(fixture.refusal_with(&trust), "signature.invalid");
}

#[test]
fn a_changed_payload_type_is_refused() {
    let fixture = Fixture::signed();
    change_field(&fixture, "/payloadType", 20);
    assert_eq!(fixture.refusal(), "envelope.payload-type");
}

#[test]
fn a_signature_over_the_payload_under_another_type_is_refused() {
    // The same bytes signed as something else, an in-toto statement say, are no manifest.
    let fixture = Fixture::signed();
    let text = String::from_utf8(fixture.envelope_bytes()).unwrap();
    let envelope = Envelope::parse(text.as_bytes()).unwrap();
    let plain = ampoule_signing::pae("application/vnd.in-toto+json", envelope.payload());
    assert!(
        !fixture
            .key
            .public_key()
            .verify(&plain, envelope.signatures()[0].signature()),
        "the payload's type is part of what is signed"
    );
}

#[test]
fn cut_files_are_refused() {
    for (name, content) in FILES {
        let fixture = Fixture::signed();
        for length in [content.len() - 1, 1, 0] {
            fs::write(fixture.file(name), &content[..length]).unwrap();
            assert_eq!(fixture.refusal(), "file.size", "{name} cut to {length}");
        }
        fs::remove_file(fixture.file(name)).unwrap();
        assert_eq!(fixture.refusal(), "file.missing", "{name}");
    }
}

#[test]
fn extended_files_are_refused() {
    for (name, content) in FILES {
        let fixture = Fixture::signed();
        fs::write(fixture.file(name), [content, b"\0"].concat()).unwrap();
        assert_eq!(fixture.refusal(), "file.size", "{name}");
    }
}

#[test]
fn two_swapped_files_are_refused() {
    // Of the same size, so that only the digest can tell.
    assert_eq!(FILES[1].1.len(), FILES[3].1.len());
    let fixture = Fixture::signed();
    fs::rename(fixture.file("config.json"), fixture.file("x")).unwrap();
    fs::rename(fixture.file("tokenizer.json"), fixture.file("config.json")).unwrap();
    fs::rename(fixture.file("x"), fixture.file("tokenizer.json")).unwrap();
    assert_eq!(fixture.refusal(), "file.digest");
}

#[test]
fn a_symlink_in_place_of_a_file_is_refused() {
    let fixture = Fixture::signed();
    // To the very content that was signed: it is the link that is refused.
    fs::rename(fixture.file("config.json"), fixture.beside("config.json")).unwrap();
    symlink(fixture.beside("config.json"), fixture.file("config.json")).unwrap();
    assert_eq!(fixture.refusal(), "file.symlink");
    fs::remove_file(fixture.file("config.json")).unwrap();
    fs::rename(fixture.beside("config.json"), fixture.file("real.json")).unwrap();
    symlink("real.json", fixture.file("config.json")).unwrap();
    assert_eq!(
        fixture.refusal(),
        "file.symlink",
        "also one that stays inside"
    );
}

#[test]
fn a_symlink_in_place_of_a_directory_is_refused() {
    let fixture = Fixture::signed();
    fs::rename(fixture.file("onnx"), fixture.file("real")).unwrap();
    symlink("real", fixture.file("onnx")).unwrap();
    assert_eq!(fixture.refusal(), "file.symlink");
}

#[test]
fn a_symlink_in_place_of_the_envelope_is_refused() {
    let fixture = Fixture::signed();
    fs::rename(fixture.file(ENVELOPE_FILE), fixture.file("real")).unwrap();
    symlink("real", fixture.file(ENVELOPE_FILE)).unwrap();
    assert_eq!(fixture.refusal(), "file.symlink");
}

#[test]
fn a_pipe_a_socket_or_a_directory_in_place_of_a_file_is_refused_at_once() {
    let fixture = Fixture::signed();
    let file = fixture.file("config.json");
    fs::remove_file(&file).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&file)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(fixture.refusal(), "file.type", "a pipe");
    fs::remove_file(&file).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&file).unwrap();
    assert_eq!(fixture.refusal(), "file.type", "a socket");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(fixture.refusal(), "file.type", "a directory");
}

#[test]
fn a_file_in_place_of_a_directory_is_refused() {
    let fixture = Fixture::signed();
    fs::remove_dir_all(fixture.file("onnx")).unwrap();
    fs::write(fixture.file("onnx"), b"").unwrap();
    assert_eq!(fixture.refusal(), "file.missing");
}

#[test]
fn a_path_out_of_the_bundle_is_refused_even_when_the_publisher_signed_it() {
    let secret = b"outside";
    for path in [
        "../outside",
        "onnx/../../outside",
        "/outside",
        "..",
        "onnx\\..\\x",
        "./outside",
    ] {
        let fixture = Fixture::unsigned();
        fs::write(fixture.beside("outside"), secret).unwrap();
        let digest = Sha256Digest::of(secret).to_string();
        fixture.sign_changed(|manifest| {
            manifest["files"][0] =
                json!({ "path": path, "size": secret.len(), "digest": { "sha256": digest } });
        });
        assert_eq!(fixture.refusal(), "manifest.path", "{path}");
    }
}

#[test]
fn an_unsigned_bundle_is_refused() {
    let fixture = Fixture::unsigned();
    let payload = fs::read(fixture.file(MANIFEST_FILE)).unwrap();
    let envelope = Envelope::sign(payload, &[]).unwrap();
    fixture.write_envelope(&envelope.to_bytes().unwrap());
    assert_eq!(fixture.refusal(), "signature.missing");
    assert_eq!(
        fixture.refusal_with(&TrustStore::new()),
        "signature.missing"
    );
}

#[test]
fn a_bundle_signed_by_an_unknown_key_is_refused() {
    let fixture = Fixture::signed();
    let stranger = SecretKey::generate().unwrap();
    assert_eq!(
        fixture.refusal_with(&trust(&stranger, PUBLISHER)),
        "trust.unknown-key"
    );
    assert_eq!(
        fixture.refusal_with(&TrustStore::new()),
        "trust.unknown-key"
    );
}

#[test]
fn a_bundle_signed_by_a_known_key_for_another_publishers_name_is_refused() {
    let fixture = Fixture::signed();
    assert_eq!(
        fixture.refusal_with(&trust(&fixture.key, "other")),
        "trust.publisher"
    );
    // The store may know the real publisher too: that changes nothing.
    let mut both = trust(&fixture.key, "other");
    let real = SecretKey::generate().unwrap();
    both.insert(real.public_key().clone(), [PUBLISHER]).unwrap();
    assert_eq!(fixture.refusal_with(&both), "trust.publisher");
}

#[test]
fn a_strangers_signature_beside_a_trusted_one_neither_helps_nor_hurts() {
    let fixture = Fixture::unsigned();
    let stranger = SecretKey::generate().unwrap();
    ampoule_signing::sign_directory(&fixture.path(), &[&stranger, &fixture.key]).unwrap();
    let verified = fixture.verify().unwrap();
    assert_eq!(verified.signers(), [fixture.key.public_key().key_id()]);
}

#[test]
fn only_keys_of_the_publisher_are_named_as_signers() {
    let fixture = Fixture::unsigned();
    let other = SecretKey::generate().unwrap();
    ampoule_signing::sign_directory(&fixture.path(), &[&other, &fixture.key]).unwrap();
    let mut trust = fixture.trust();
    trust.insert(other.public_key().clone(), ["other"]).unwrap();
    let verified = fixture.verify_with(&trust).unwrap();
    assert_eq!(verified.signers(), [fixture.key.public_key().key_id()]);
}

#[test]
fn an_expired_bundle_is_refused() {
    let fixture = Fixture::unsigned();
    let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    fixture.sign_changed(|manifest| {
        manifest["created"] = "2026-01-01T00:00:00Z".into();
        manifest["not_after"] = now.to_string().into();
    });
    let verify = |time| {
        Bundle::open(&fixture.path())
            .unwrap()
            .verify(&fixture.trust(), time)
            .map(|_| ())
    };
    verify(now).unwrap();
    let error = verify(now + jiff::SignedDuration::from_secs(1)).unwrap_err();
    assert_eq!(error.code(), "trust.expired");
}

#[test]
fn signatures_are_verified_before_the_payload_is_parsed() {
    // A payload that no parser should see: signed by a stranger it is a stranger's, no more.
    let fixture = Fixture::signed();
    let stranger = SecretKey::generate().unwrap();
    let envelope = Envelope::sign(b"\xff not JSON".to_vec(), &[&stranger]).unwrap();
    fixture.write_envelope(&envelope.to_bytes().unwrap());
    assert_eq!(fixture.refusal(), "trust.unknown-key");
    fixture.sign_payload(b"\xff not JSON");
    assert_eq!(fixture.refusal(), "manifest.malformed");
}

#[test]
fn identity_and_expiry_are_checked_before_any_file_is_read() {
    let fixture = Fixture::signed();
    fs::remove_file(fixture.file("component.wasm")).unwrap();
    assert_eq!(
        fixture.refusal_with(&trust(&fixture.key, "other")),
        "trust.publisher"
    );
    assert_eq!(fixture.refusal(), "file.missing");
}

#[test]
fn a_bundle_that_everybody_can_change_is_refused() {
    let world_writable = fs::Permissions::from_mode(0o777);
    for name in [
        "",
        ENVELOPE_FILE,
        "component.wasm",
        "onnx",
        "onnx/weights.bin",
    ] {
        let fixture = Fixture::signed();
        fs::set_permissions(fixture.file(name), world_writable.clone()).unwrap();
        assert_eq!(fixture.refusal(), "trust.permissions", "{name:?}");
    }
}

#[test]
fn a_truncated_envelope_is_refused() {
    let fixture = Fixture::signed();
    let bytes = fixture.envelope_bytes();
    for length in (0..bytes.len()).step_by(37).chain([bytes.len() - 1]) {
        fixture.write_envelope(&bytes[..length]);
        assert_eq!(fixture.refusal(), "envelope.malformed", "{length} bytes");
    }
    fixture.write_envelope(&[&bytes[..], b"\n"].concat());
    assert_eq!(fixture.refusal(), "envelope.malformed", "a byte more");
}

#[test]
fn what_is_no_bundle_at_all_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let code = |path| {
        let error = Bundle::open(path).unwrap_err();
        assert!(
            !error.to_string().contains(dir.path().to_str().unwrap()),
            "{error}"
        );
        error.code()
    };
    assert_eq!(code(dir.path()), "envelope.missing", "an empty directory");
    let file = dir.path().join("file");
    fs::write(&file, b"a file").unwrap();
    assert_eq!(code(&file), "file.archive", "a file");
    assert_eq!(
        code(&dir.path().join("nothing")),
        "envelope.missing",
        "nothing"
    );
}

#[test]
fn a_bundle_is_read_through_the_directory_that_was_opened() {
    // The directory is swapped for a hostile one between opening and verifying.
    let fixture = Fixture::signed();
    let bundle = Bundle::open(&fixture.path()).unwrap();
    fs::rename(fixture.path(), fixture.beside("moved")).unwrap();
    fs::create_dir(fixture.path()).unwrap();
    for (name, _) in FILES {
        if let Some(parent) = fixture.file(name).parent() {
            fs::create_dir_all(parent).unwrap();
        }
        fs::write(fixture.file(name), b"hostile").unwrap();
    }
    let verified = bundle.verify(&fixture.trust(), Timestamp::now()).unwrap();
    assert_eq!(&verified.component()[..], FILES[0].1);
}
