//! Sizes are bounded before anything is read, and so is the memory for it.

use std::fs::File;
use std::num::NonZeroU32;

use ampoule_signing::{Bundle, ByteSize, ENVELOPE_FILE, Root, SecretKey, Timestamp};
use ampoule_signing::{MAX_DELEGATIONS, MAX_PATTERNS};

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

#[test]
fn a_store_or_a_root_holds_only_so_many_rules() {
    let key = SecretKey::generate().unwrap().public_key().clone();
    let expires = "2099-01-01T00:00:00Z".parse().unwrap();
    let root = Root::new("fleet", [key.clone()], NonZeroU32::MIN, expires).unwrap();
    let mut root: serde_json::Value = serde_json::from_str(&root.to_json().unwrap()).unwrap();
    let own = &root["roles"]["root"]["keys"][0];
    let keys = serde_json::json!([{ "public_key": own["public_key"] }]);
    let rule = |models: Vec<String>| serde_json::json!({ "models": models, "keys": keys });
    let mut parse = |rules: Vec<serde_json::Value>| {
        root["delegations"] = rules.into();
        Root::parse(root.to_string().as_bytes()).map_err(|error| error.to_string())
    };
    let rules = |count: usize| (0..count).map(|at| rule(vec![format!("a/{at}")])).collect();
    assert_eq!(
        parse(rules(MAX_DELEGATIONS)).unwrap().delegations().len(),
        MAX_DELEGATIONS
    );
    let refused = parse(rules(MAX_DELEGATIONS + 1)).unwrap_err();
    assert!(
        refused.contains("at most 1024 delegations, found 1025"),
        "{refused}"
    );
    let patterns = |count: usize| vec![rule((0..count).map(|at| format!("a/{at}")).collect())];
    parse(patterns(MAX_PATTERNS)).unwrap();
    let refused = parse(patterns(MAX_PATTERNS + 1)).unwrap_err();
    assert!(refused.contains("at most 16384 patterns"), "{refused}");
}
