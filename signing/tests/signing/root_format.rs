//! The format of a root: one reading, and never taken for anything else.

use ampoule_signing::{Envelope, ROOT_PAYLOAD_TYPE, Root, SignedRoot, pae};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::root::{Fleet, id, install, sign};

#[test]
fn a_root_is_no_manifest_and_a_manifest_no_root() {
    let fleet = Fleet::new();
    let root = sign(&fleet.first, &[&fleet.ann])
        .envelope()
        .to_bytes()
        .unwrap();
    assert_eq!(
        Envelope::parse(&root).unwrap_err().code(),
        "envelope.payload-type"
    );
    let fixture = Fixture::signed();
    let manifest = SignedRoot::parse(&fixture.envelope_bytes()).unwrap_err();
    assert_eq!(manifest.code(), "envelope.payload-type");
    // A root's bytes signed as a manifest do not become a root under another label.
    let payload = fleet.first.to_json().unwrap();
    let message = pae(ampoule_signing::PAYLOAD_TYPE, payload.as_bytes());
    let as_manifest =
        Envelope::sign(payload.clone().into_bytes(), &[&fleet.ann, &fleet.bob]).unwrap();
    assert!(
        fleet
            .ann
            .public_key()
            .verify(&message, as_manifest.signatures()[0].signature())
    );
    let signatures: Vec<Value> = as_manifest
        .signatures()
        .iter()
        .map(|one| json!({ "keyid": one.key_id(), "sig": BASE64.encode(one.signature()) }))
        .collect();
    let relabelled = format!(
        r#"{{"payload":"{}","payloadType":"{ROOT_PAYLOAD_TYPE}","signatures":{}}}"#,
        BASE64.encode(&payload),
        Value::Array(signatures)
    );
    let signed = SignedRoot::parse(relabelled.as_bytes()).unwrap();
    assert_eq!(install(signed).unwrap_err().code(), "signature.invalid");
}

#[test]
fn a_root_that_breaks_a_rule_of_its_format_is_refused() {
    let fleet = Fleet::new();
    let good: Value = serde_json::from_str(&fleet.first.to_json().unwrap()).unwrap();
    Root::parse(good.to_string().as_bytes()).unwrap();
    let cases: [(&str, &str, Value); 25] = [
        ("a schema in words", "/schema", json!("1")),
        ("no name", "/name", json!("")),
        ("a name for two", "/name", json!("One Two")),
        ("an unknown role", "/roles", json!({ "mirror": {} })),
        ("version none", "/version", json!(0)),
        ("a version beyond counting", "/version", json!(1_u64 << 53)),
        ("no end", "/expires", json!("never")),
        ("a day", "/expires", json!("2028-01-01")),
        ("a threshold of none", "/roles/root/threshold", json!(0)),
        (
            "a threshold above the keys",
            "/roles/root/threshold",
            json!(4),
        ),
        ("a threshold as text", "/roles/root/threshold", json!("2")),
        ("no keys", "/roles/root/keys", json!([])),
        (
            "keys by their ids alone",
            "/roles/root/keys",
            json!([{ "id": id(&fleet.ann) }]),
        ),
        (
            "a key twice",
            "/roles/root/keys/1",
            good["roles"]["root"]["keys"][0].clone(),
        ),
        (
            "another key's id",
            "/roles/root/keys/0/id",
            good["roles"]["root"]["keys"][1]["id"].clone(),
        ),
        ("no delegations", "/delegations", json!(null)),
        (
            "a delegation of nothing",
            "/delegations/0/models",
            json!([]),
        ),
        ("all publishers", "/delegations/0/models", json!(["*"])),
        (
            "a pattern twice",
            "/delegations/0/models",
            json!(["acme/*", "acme/*"]),
        ),
        (
            "an unreachable threshold",
            "/delegations/0/threshold",
            json!(2),
        ),
        (
            "a delegation without keys",
            "/delegations/0/keys",
            json!([]),
        ),
        (
            "a key that is none",
            "/delegations/0/keys/0/public_key",
            json!(""),
        ),
        (
            "an unknown field",
            "/delegations/0/keys/0",
            json!({ "pem": "" }),
        ),
        (
            "caps of nothing",
            "/delegations/0/caps",
            json!({ "fuel": 0 }),
        ),
        (
            "an array for an object",
            "/delegations/0",
            json!([["acme/*"]]),
        ),
    ];
    for (what, place, value) in cases {
        let mut root = good.clone();
        if place == "/delegations/0/caps" {
            root["delegations"][0]["caps"] = value;
        } else {
            *root.pointer_mut(place).unwrap() = value;
        }
        let error = Root::parse(root.to_string().as_bytes()).unwrap_err();
        assert!(
            ["trust.malformed", "trust.malformed-key"].contains(&error.code()),
            "{what}: {error}"
        );
    }
    for name in [
        "schema",
        "name",
        "version",
        "expires",
        "roles",
        "delegations",
    ] {
        let mut root = good.clone();
        root.as_object_mut().unwrap().remove(name);
        let error = Root::parse(root.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code(), "trust.malformed", "without {name}");
    }
    let text = good.to_string();
    for text in [
        text.replacen('{', "{\"extra\":1,", 1),
        text.replacen('{', "{\"version\":1,", 1),
        format!("{text} x"),
        " ".repeat(ampoule_signing::MAX_ROOT_BYTES + 1),
    ] {
        let error = Root::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.code(), "trust.malformed");
    }
}
