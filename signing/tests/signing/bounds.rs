//! What is read, and how much memory it takes, is bounded before it is read.

use std::fs::File;

use ampoule_signing::{Bundle, ByteSize, ENVELOPE_FILE, Timestamp};

use crate::fixture::{FILES, Fixture};

#[test]
fn a_sparse_giant_in_place_of_a_file_is_refused_without_being_read() {
    let fixture = Fixture::signed();
    File::options()
        .write(true)
        .open(fixture.file("config.json"))
        .unwrap()
        .set_len(1 << 43)
        .unwrap();
    let code = fixture.verify().unwrap_err().code();
    assert_eq!(code, "file.size");
}

#[test]
fn a_giant_envelope_is_refused_without_being_read() {
    let fixture = Fixture::signed();
    let file = File::options()
        .write(true)
        .open(fixture.file(ENVELOPE_FILE))
        .unwrap();
    file.set_len(1 << 43).unwrap();
    let error = Bundle::open(&fixture.path()).unwrap_err();
    assert_eq!(error.code(), "envelope.too-large");
}

#[test]
fn a_bundle_larger_than_the_caller_reads_is_refused() {
    let fixture = Fixture::signed();
    let total: usize = FILES.iter().map(|(_, content)| content.len()).sum();
    let verify = |bytes: usize| {
        Bundle::open(&fixture.path())
            .unwrap()
            .with_max_size(ByteSize::from_bytes(bytes as u64))
            .verify(&fixture.trust(), Timestamp::now())
            .map(|_| ())
    };
    verify(total).unwrap();
    assert_eq!(verify(total - 1).unwrap_err().code(), "file.too-large");
}

#[test]
fn a_size_that_no_memory_holds_is_refused_before_memory_is_taken() {
    let fixture = Fixture::unsigned();
    fixture.sign_changed(|manifest| manifest["files"][0]["size"] = (1_u64 << 52).into());
    assert_eq!(fixture.refusal(), "file.too-large");
    let error = Bundle::open(&fixture.path())
        .unwrap()
        .with_max_size(ByteSize::from_bytes(u64::MAX))
        .verify(&fixture.trust(), Timestamp::now())
        .unwrap_err();
    assert_eq!(
        error.code(),
        "file.size",
        "the file itself is short, so nothing is allocated"
    );
}
