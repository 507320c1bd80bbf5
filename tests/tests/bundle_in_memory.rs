//! A bundle that is part of a program is loaded as one on disk is, and trusted no further.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use ampoule::{Bundle, Error, Host, Limits, Model, TrustStore};
use ampoule_tests::{Publisher, WrittenBundle, block_on, host_trusting, test_guest};
use serde_json::json;

fn in_memory(bundle: &WrittenBundle) -> Bundle {
    with_component(
        bundle,
        std::fs::read(bundle.path().join("component.wasm")).unwrap(),
    )
}

fn with_component(bundle: &WrittenBundle, component: Vec<u8>) -> Bundle {
    let envelope = std::fs::read(bundle.path().join("ampoule.dsse.json")).unwrap();
    Bundle::from_memory(&envelope, [("component.wasm", component)]).unwrap()
}

fn load(host: &Host, bundle: Bundle) -> Result<Model, Error> {
    block_on(host.load_bundle(bundle))
}

/// A host that lets the publisher's key sign `acme/test`, which the tests' bundles are, and nothing
/// else.
fn host_for_one_model(publisher: &Publisher) -> Host {
    let mut trust = TrustStore::new();
    trust
        .insert_model(publisher.public_key().clone(), "acme", "test")
        .unwrap();
    Host::builder().trust(trust).build().unwrap()
}

#[test]
fn a_bundle_in_memory_is_loaded_and_answers() {
    let acme = Publisher::new("acme");
    let bundle = acme.every_task().write();
    let host = host_trusting(&acme);
    let from_memory = load(&host, in_memory(&bundle)).unwrap();
    let from_disk = block_on(host.load(bundle.path())).unwrap();
    assert_eq!(from_memory.manifest_digest(), from_disk.manifest_digest());
    let embed = |model: &Model| block_on(model.embed_text(&["abc"])).unwrap().output;
    assert_eq!(embed(&from_memory), embed(&from_disk));
}

#[test]
fn a_bundle_in_memory_is_verified_and_admitted_like_any_other() {
    let acme = Publisher::new("acme");
    let bundle = acme.every_task().write();
    let host = host_trusting(&acme);

    let mut changed = std::fs::read(bundle.path().join("component.wasm")).unwrap();
    changed[100] ^= 1;
    let error = load(&host, with_component(&bundle, changed)).err().unwrap();
    assert_eq!(error.code(), "file.digest");

    let stranger = host_trusting(&Publisher::new("acme"));
    let error = load(&stranger, in_memory(&bundle)).err().unwrap();
    assert_eq!(error.code(), "trust.unknown-key");

    let sockets = acme.bundle(test_guest("imports_sockets")).write();
    let error = load(&host, in_memory(&sockets)).err().unwrap();
    assert_eq!(error.code(), "admission.import");

    let mut limits = Limits::default();
    limits.bundle = ampoule::ByteSize::from_bytes(1_000);
    let small = ampoule_tests::host_with_limits(&acme, limits);
    let error = load(&small, in_memory(&bundle)).err().unwrap();
    assert_eq!(error.code(), "file.too-large");
}

#[test]
fn a_contract_that_this_host_does_not_speak_is_for_admission_to_refuse() {
    let acme = Publisher::new("acme");
    let other = acme
        .every_task()
        .set("/contract", json!("ampoule:model@0.2.0"))
        .write();
    let error = load(&host_trusting(&acme), in_memory(&other))
        .err()
        .unwrap();
    assert_eq!(error.code(), "admission.contract", "{error}");
    assert!(error.to_string().contains("ampoule:model@0.2.0"), "{error}");
    // A newer one on the same track only adds, and what this model uses is here.
    let newer = acme
        .every_task()
        .set("/contract", json!("ampoule:model@0.1.7"))
        .write();
    load(&host_trusting(&acme), in_memory(&newer)).unwrap();
}

#[test]
fn a_key_that_is_trusted_for_one_model_loads_no_other() {
    let acme = Publisher::new("acme");
    let host = host_for_one_model(&acme);
    let good = acme.every_task();
    load(&host, in_memory(&good.write())).unwrap();

    let renamed = acme.every_task().set("/name", json!("other")).write();
    let other = acme.every_task().set("/publisher", json!("other")).write();
    for (bundle, code) in [(renamed, "trust.model"), (other, "trust.publisher")] {
        let error = load(&host, in_memory(&bundle)).err().unwrap();
        assert_eq!(error.code(), code);
        let error = block_on(host.load(bundle.path())).err().unwrap();
        assert_eq!(error.code(), code);
    }
    // Another's signature does not help.
    let forged = Publisher::new("acme").every_task().write();
    let error = load(&host, in_memory(&forged)).err().unwrap();
    assert_eq!(error.code(), "trust.unknown-key");
}
