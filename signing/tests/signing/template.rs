//! The manifest that `init` writes for a directory.

use std::fs::{self, File};

use ampoule_signing::{ByteSize, FileDigest, MANIFEST_FILE, SecretKey, Timestamp, sign_directory};

use crate::fixture::{FILES, Fixture, template, trust};

#[test]
fn large_files_are_pinned_in_chunks_that_a_host_verifies() {
    let fixture = Fixture::unsigned();
    fs::remove_file(fixture.file(MANIFEST_FILE)).unwrap();
    // Sparse, so it costs no disk: 64 MiB and one byte.
    let large = File::create(fixture.file("large.bin")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    let manifest = template().fill(&fixture.path(), Timestamp::now()).unwrap();
    manifest.write_file(&fixture.path()).unwrap();
    let entry = manifest
        .files()
        .iter()
        .find(|file| file.path() == "large.bin")
        .unwrap();
    assert_eq!(entry.size(), ByteSize::from_bytes((64 << 20) + 1));
    let FileDigest::Sha256Chunks {
        chunk_size,
        digests,
    } = entry.digest()
    else {
        panic!("a file of this size is pinned in chunks");
    };
    assert_eq!((*chunk_size, digests.len()), (4 << 20, 17));
    sign_directory(&fixture.path(), &[&fixture.key]).unwrap();
    let verified = fixture.verify().unwrap();
    assert_eq!(verified.file("large.bin").unwrap().len(), (64 << 20) + 1);
    // A byte in the last chunk counts as much as any other.
    use std::os::unix::fs::FileExt as _;
    large.write_all_at(b"x", 64 << 20).unwrap();
    assert_eq!(fixture.verify().unwrap_err().code(), "file.digest");
}

#[test]
fn the_guessed_limits_grow_with_the_files() {
    let fixture = Fixture::unsigned();
    let small = *template()
        .fill(&fixture.path(), Timestamp::now())
        .unwrap()
        .limits();
    assert_eq!(
        small.request.memory,
        ByteSize::from_mib(80),
        "64 MiB and a step of 16 MiB"
    );
    File::create(fixture.file("weights"))
        .unwrap()
        .set_len(90 << 20)
        .unwrap();
    let large = *template()
        .fill(&fixture.path(), Timestamp::now())
        .unwrap()
        .limits();
    assert_eq!(
        large.request.memory,
        ByteSize::from_mib(256),
        "64 MiB, twice the weights, rounded up"
    );
    assert_eq!(large.init.memory, ByteSize::from_mib(336));
    assert_eq!(large.request.deadline, small.request.deadline);
}

#[test]
fn neither_the_envelope_nor_the_manifest_is_listed_as_a_file() {
    let fixture = Fixture::signed();
    let manifest = template().fill(&fixture.path(), Timestamp::now()).unwrap();
    let paths: Vec<&str> = manifest.files().iter().map(|file| file.path()).collect();
    assert_eq!(paths, [FILES[1].0, FILES[2].0, FILES[3].0]);
}

#[test]
fn a_directory_without_a_key_to_sign_with_is_left_alone() {
    let fixture = Fixture::signed();
    let before = fixture.envelope_bytes();
    let error = sign_directory(&fixture.path(), &[]).unwrap_err();
    assert_eq!(error.code(), "usage.arguments");
    assert_eq!(fixture.envelope_bytes(), before);
}

#[test]
fn signing_the_next_release_replaces_the_signatures() {
    let fixture = Fixture::signed();
    let successor = SecretKey::generate().unwrap();
    // The very same manifest has a signature that would be lost.
    let error = sign_directory(&fixture.path(), &[&successor]).unwrap_err();
    assert_eq!(error.code(), "usage.others-signed");
    fixture.verify().unwrap();
    let mut manifest = fixture.manifest_json();
    manifest["release"] = 2.into();
    std::fs::write(fixture.file(MANIFEST_FILE), manifest.to_string()).unwrap();
    sign_directory(&fixture.path(), &[&successor]).unwrap();
    assert_eq!(fixture.refusal(), "trust.unknown-key");
    fixture.verify_with(&trust(&successor, "acme")).unwrap();
}
