//! The revocation list as a document: one reading, and never taken for anything else.

use ampoule_signing::{
    Document as _, MAX_DOCUMENT_BYTES, RevocationList, Revoked, Sha256Digest, SignedRevocations,
    SignedRoot,
};
use serde_json::{Value, json};

use crate::revocation::{list, sign};
use crate::root::{Fleet, LATER, id, key, sign as sign_root, time};

fn full() -> RevocationList {
    list()
        .with(Revoked::Key(id(&key())), Some("stolen".to_owned()))
        .unwrap()
        .with(Revoked::Manifest(Sha256Digest::of(b"manifest")), None)
        .unwrap()
        .with(
            Revoked::Component(Sha256Digest::of(b"component")),
            Some("leaks".to_owned()),
        )
        .unwrap()
}

fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut json = serde_json::from_str(&full().to_json().unwrap()).unwrap();
    change(&mut json);
    json.to_string().into_bytes()
}

#[test]
fn a_list_is_read_as_it_was_written() {
    let list = full();
    let written = list.to_json().unwrap();
    assert_eq!(RevocationList::parse(written.as_bytes()).unwrap(), list);
    assert_eq!(list.entries().count(), 3);
    // Empty lists may be left out.
    let short = br#"{"schema":1,"name":"fleet","version":1,"expires":"2028-01-01T00:00:00Z"}"#;
    assert_eq!(RevocationList::parse(short).unwrap(), self::list());
}

#[test]
fn a_list_that_breaks_a_rule_is_refused_with_the_field_named() {
    let refused = |change: fn(&mut Value), field: &str| {
        let error = RevocationList::parse(&changed(change)).unwrap_err();
        assert_eq!(error.code(), "trust.malformed", "{error}");
        assert!(error.to_string().contains(field), "{error}");
    };
    refused(|list| list["name"] = json!("No Name"), "`name`");
    refused(|list| list["version"] = json!(0), "`version`");
    refused(|list| list["expires"] = json!("2028-01-01"), "`expires`");
    refused(|list| list["more"] = json!(1), "`more`");
    refused(|list| list["keys"][0]["id"] = json!("4f3c"), "`keys[0].id`");
    refused(
        |list| list["keys"][0]["digest"] = json!("4f3c"),
        "`keys[0].digest`",
    );
    refused(
        |list| list["manifests"][0]["digest"] = json!("x"),
        "`manifests[0].digest`",
    );
    for reason in ["", "two\nlines", "\u{1b}[2J", &"long".repeat(60)] {
        let text = reason.to_owned();
        assert!(
            list().with(Revoked::Key(id(&key())), Some(text)).is_err(),
            "{reason:?}"
        );
    }
    let twice = changed(|list| {
        let again = list["components"][0].clone();
        list["components"].as_array_mut().unwrap().push(again);
    });
    let error = RevocationList::parse(&twice).unwrap_err().to_string();
    assert!(
        error.contains("twice") && error.contains("components[1]"),
        "{error}"
    );
    let later = changed(|list| list["schema"] = json!(2));
    assert_eq!(
        RevocationList::parse(&later).unwrap_err().code(),
        "trust.schema"
    );
    let long = vec![b' '; MAX_DOCUMENT_BYTES + 1];
    assert_eq!(
        RevocationList::parse(&long).unwrap_err().code(),
        "trust.malformed"
    );
}

#[test]
fn a_list_is_no_root_and_a_root_no_list() {
    let fleet = Fleet::new();
    let root = sign_root(&fleet.first, &[&fleet.ann, &fleet.bob]);
    let list = sign(&list(), &[&fleet.ann, &fleet.bob]);
    let bytes = root.envelope().to_bytes().unwrap();
    let error = SignedRevocations::parse(&bytes).unwrap_err();
    assert_eq!(error.code(), "envelope.payload-type");
    let error = SignedRoot::parse(&list.envelope().to_bytes().unwrap()).unwrap_err();
    assert_eq!(error.code(), "envelope.payload-type");
}

#[test]
fn nobody_signs_a_list_that_has_expired_by_mistake() {
    let list = list();
    list.check_signable(time(LATER)).unwrap();
    let error = list
        .check_signable(time("2028-01-02T00:00:00Z"))
        .unwrap_err();
    assert_eq!(error.code(), "usage.expired");
}
