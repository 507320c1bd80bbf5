//! `ampoule trust`: what an operator says about publishers, and what becomes of their models then.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::Path;

use ampoule_signing::{Root, SecretKey, SignedRoot, cosign_directory};
use ampoule_tests::{BundleBuilder, Desk, Publisher, assert_fails, json_of, succeeds};
use serde_json::json;

#[test]
fn trust_is_added_listed_shown_and_removed() {
    let desk = Desk::new();
    let publisher = Publisher::new("acme");
    desk.key_file("acme.pub", publisher.public_key());
    let id = publisher.public_key().key_id().to_string();
    let added = succeeds(&desk.trust(&["add", "--publisher", "acme", "acme.pub"]));
    assert_eq!(added["models"], json!(["acme/*"]));
    assert_eq!(
        (&added["threshold"], &added["keys"][0]["id"]),
        (&json!(1), &json!(id))
    );
    let listed = succeeds(&desk.trust(&["list"]));
    assert_eq!(listed, json!({ "root": null, "delegations": [added] }));
    assert_eq!(succeeds(&desk.trust(&["show", "acme/test"])), added);
    assert_fails(
        &desk.trust(&["show", "other/test"]),
        "usage.nobody-trusted",
        2,
    );

    let bundle = publisher.every_task().write();
    assert!(desk.embed(bundle.path()).status.success());
    assert!(desk.trust(&["remove", &id]).status.success());
    assert_fails(&desk.embed(bundle.path()), "trust.unknown-key", 3);
    assert_fails(&desk.trust(&["remove", &id]), "usage.no-such-key", 2);
    // For one model only: the bundle's name is `test`.
    for (name, verdict) in [("test", "trusted"), ("other", "trust.model")] {
        let one = ["add", "--publisher", "acme", "--name", name, "acme.pub"];
        let added = succeeds(&desk.trust(&one));
        assert_eq!(added["models"], json!([format!("acme/{name}")]));
        assert_eq!(desk.verdict(&bundle), verdict);
        let remove = ["remove", "--publisher", "acme", "--name", name];
        assert!(desk.trust(&remove).status.success());
        assert_fails(&desk.trust(&remove), "usage.nobody-trusted", 2);
    }
    std::fs::write(desk.path("no.pem"), "not a key").unwrap();
    let malformed = desk.trust(&["add", "--publisher", "acme", "no.pem"]);
    assert_fails(&malformed, "trust.malformed-key", 3);
    assert_fails(
        &desk.trust(&["add", "--publisher", "*", "acme.pub"]),
        "usage.setting",
        2,
    );
    assert_fails(&desk.trust(&["remove"]), "usage.arguments", 2);
}

#[test]
fn two_of_three_have_to_sign_where_the_operator_says_so() {
    let desk = Desk::new();
    let acme = Publisher::new("acme");
    let (second, third) = (
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
    );
    desk.key_file("one.pub", acme.public_key());
    desk.key_file("two.pub", second.public_key());
    desk.key_file("three.pub", third.public_key());
    let alone = ["add", "--publisher", "acme", "--threshold", "2", "one.pub"];
    assert_fails(&desk.trust(&alone), "trust.malformed", 3);
    let three = [&alone[..], &["two.pub", "three.pub"]].concat();
    succeeds(&desk.trust(&three));

    let bundle = acme.every_task().write();
    let refused = desk.embed(bundle.path());
    assert_fails(&refused, "trust.threshold", 3);
    let message = json_of(&refused)["error"]["message"].to_string();
    assert!(
        message.contains("2 of 3 trusted keys, found 1")
            && message.contains(&acme.public_key().key_id().to_string()),
        "{message}"
    );
    cosign_directory(bundle.path(), &[&third]).unwrap();
    assert!(desk.embed(bundle.path()).status.success());
    // A key is lost, and nothing gets easier.
    let id = third.public_key().key_id().to_string();
    succeeds(&desk.trust(&["remove", &id]));
    assert_eq!(desk.verdict(&bundle), "trust.threshold");
    cosign_directory(bundle.path(), &[&second]).unwrap();
    assert_eq!(desk.verdict(&bundle), "trusted");
}

#[test]
fn a_key_is_rotated_by_its_validity() {
    let desk = Desk::new();
    let (old, new) = (Publisher::new("acme"), Publisher::new("acme"));
    desk.key_file("old.pub", old.public_key());
    desk.key_file("new.pub", new.public_key());
    let add = |key: &str, option: &str, time: &str| {
        succeeds(&desk.trust(&["add", "--publisher", "acme", key, option, time]));
    };
    add("old.pub", "--not-after", "2099-01-01T00:00:00Z");
    add("new.pub", "--not-before", "2026-01-01T00:00:00Z");
    let bundles = [old.every_task().write(), new.every_task().write()];
    assert_eq!(
        bundles.each_ref().map(|one| desk.verdict(one)),
        ["trusted", "trusted"]
    );
    add("old.pub", "--not-after", "2026-01-01T00:00:00Z");
    assert_eq!(
        bundles.each_ref().map(|one| desk.verdict(one)),
        ["trust.validity", "trusted"]
    );
    // To name the old key in another rule does not bring it back.
    succeeds(&desk.trust(&["add", "--publisher", "acme", "old.pub", "new.pub"]));
    assert_eq!(desk.verdict(&bundles[0]), "trust.validity");
    add("old.pub", "--not-after", "none");
    assert_eq!(desk.verdict(&bundles[0]), "trusted");
    add("new.pub", "--not-before", "2098-01-01T00:00:00Z");
    assert_eq!(desk.verdict(&bundles[1]), "trust.validity");
}

#[test]
fn a_model_that_asks_for_more_than_its_publishers_cap_is_refused_with_both_numbers() {
    let acme = Publisher::new("acme");
    // The test guest asks for all of the fuel that a host gives; here for half of it.
    let good = || {
        acme.every_task()
            .set("/limits/fuel", json!(50_000_000_000_u64))
    };
    type Change = for<'a> fn(BundleBuilder<'a>) -> BundleBuilder<'a>;
    let cases: [(&str, &str, Change, &str, &str); 7] = [
        (
            "--cap-memory",
            "64MiB",
            |b| b.set("/limits/memory_bytes", json!(65 << 20)),
            "65MiB",
            "64MiB",
        ),
        (
            "--cap-fuel",
            "50000000000",
            |b| b.set("/limits/fuel", json!(50_000_000_001_u64)),
            "50000000001",
            "50000000000",
        ),
        (
            "--cap-timeout",
            "3s",
            |b| b.set("/limits/deadline_ms", json!(3_001)),
            "3001 ms",
            "3000 ms",
        ),
        (
            "--cap-output",
            "1MiB",
            |b| b.set("/limits/output_bytes", json!(2 << 20)),
            "2MiB",
            "1MiB",
        ),
        (
            "--cap-init-memory",
            "64MiB",
            |b| b.set("/limits/init/memory_bytes", json!(65 << 20)),
            "65MiB",
            "64MiB",
        ),
        (
            "--cap-init-fuel",
            "100000000000",
            |b| b.set("/limits/init/fuel", json!(100_000_000_001_u64)),
            "100000000001",
            "100000000000",
        ),
        (
            "--cap-init-timeout",
            "3s",
            |b| b.set("/limits/init/deadline_ms", json!(3_001)),
            "3001 ms",
            "3000 ms",
        ),
    ];
    for (option, cap, change, asked, allowed) in cases {
        let desk = Desk::new();
        desk.key_file("acme.pub", acme.public_key());
        succeeds(&desk.trust(&["add", "--publisher", "acme", "acme.pub", option, cap]));
        assert_eq!(desk.verdict(&good().write()), "trusted", "{option}");
        let refused = desk.embed(change(good()).write().path());
        assert_fails(&refused, "admission.limit", 4);
        let message = json_of(&refused)["error"]["message"].to_string();
        assert!(
            message.contains(asked)
                && message.contains(allowed)
                && message.contains("its publisher's cap"),
            "{option}: {message}"
        );
    }
}

#[test]
fn a_publisher_gets_no_capability_beyond_those_granted_to_it() {
    let desk = Desk::new();
    let acme = Publisher::new("acme");
    desk.key_file("acme.pub", acme.public_key());
    let add = [
        "add",
        "--publisher",
        "acme",
        "acme.pub",
        "--cap-capability",
        "other-thing",
    ];
    succeeds(&desk.trust(&add));
    let bundle = acme
        .every_task()
        .set("/capabilities", json!(["host-kernels"]))
        .write();
    let refused = desk.embed(bundle.path());
    assert_fails(&refused, "admission.capability", 4);
    let message = json_of(&refused)["error"]["message"].to_string();
    assert!(
        message.contains("host-kernels") && message.contains("grants other-thing"),
        "{message}"
    );
    assert_eq!(desk.verdict(&acme.every_task().write()), "trusted");
}

/// A root of version 1 that one key signs and that lets `publisher` sign acme's models.
fn first_root(key: &SecretKey, publisher: &Publisher) -> Root {
    let expires = "2099-01-01T00:00:00Z".parse().unwrap();
    Root::new([key.public_key().clone()], 1.try_into().unwrap(), expires)
        .unwrap()
        .change_trust(|trust| trust.insert(publisher.public_key().clone(), ["acme"]))
        .unwrap()
}

fn write(root: &Root, keys: &[&SecretKey], path: &Path) {
    let payload = root.to_json().unwrap().into_bytes();
    SignedRoot::sign(payload, keys)
        .unwrap()
        .write_file(path)
        .unwrap();
}

#[test]
fn a_fleet_follows_its_root_and_never_back() {
    let desk = Desk::new();
    let root_key = SecretKey::generate().unwrap();
    let (old, new) = (Publisher::new("acme"), Publisher::new("acme"));
    let first = first_root(&root_key, &old);
    let second = first
        .clone()
        .next("2098-01-01T00:00:00Z".parse().unwrap())
        .unwrap()
        .change_trust(|trust| {
            trust.insert(new.public_key().clone(), ["acme"])?;
            Ok(trust.remove(&old.public_key().key_id()))
        })
        .unwrap();
    write(&first, &[&root_key], &desk.path("1.root.dsse.json"));
    write(&second, &[&root_key], &desk.path("2.root.dsse.json"));
    let bundles = [old.every_task().write(), new.every_task().write()];

    let update = ["root", "update", "2.root.dsse.json"];
    assert_fails(&desk.trust(&update), "trust.root-missing", 3);
    let install = ["root", "install", "1.root.dsse.json"];
    assert_eq!(succeeds(&desk.trust(&install))["version"], 1);
    assert_fails(&desk.trust(&install), "trust.root-installed", 3);
    assert_eq!(
        bundles.each_ref().map(|one| desk.verdict(one)),
        ["trusted", "trust.unknown-key"]
    );
    assert!(desk.embed(bundles[0].path()).status.success());

    assert_eq!(succeeds(&desk.trust(&update))["version"], 2);
    assert_eq!(
        bundles.each_ref().map(|one| desk.verdict(one)),
        ["trust.unknown-key", "trusted"]
    );
    let back = ["root", "update", "1.root.dsse.json"];
    assert_fails(&desk.trust(&back), "trust.root-rollback", 3);
    assert_eq!(succeeds(&desk.trust(&update))["version"], 2, "nothing new");
    let listed = succeeds(&desk.trust(&["list"]));
    assert_eq!(
        (&listed["root"]["version"], &listed["root"]["is_expired"]),
        (&json!(2), &json!(false))
    );

    // The operator's own trust would only be beside it, so there is none.
    desk.key_file("old.pub", old.public_key());
    let add = ["add", "--publisher", "acme", "old.pub"];
    assert_fails(&desk.trust(&add), "trust.two-forms", 3);
}

#[test]
fn an_expired_root_trusts_nobody_until_the_next_one_comes() {
    let desk = Desk::new();
    let root_key = SecretKey::generate().unwrap();
    let acme = Publisher::new("acme");
    let first = first_root(&root_key, &acme);
    let expired = first
        .clone()
        .next("2026-01-01T00:00:00Z".parse().unwrap())
        .unwrap();
    let fresh = expired
        .clone()
        .next("2099-01-01T00:00:00Z".parse().unwrap())
        .unwrap();
    for (root, name) in [(&first, "1"), (&expired, "2"), (&fresh, "3")] {
        write(root, &[&root_key], &desk.path(name));
    }
    let bundle = acme.every_task().write();
    succeeds(&desk.trust(&["root", "install", "1"]));
    assert_fails(
        &desk.trust(&["root", "update", "2"]),
        "trust.root-expired",
        3,
    );
    assert_fails(&desk.embed(bundle.path()), "trust.root-expired", 3);
    assert_eq!(succeeds(&desk.trust(&["list"]))["root"]["is_expired"], true);
    succeeds(&desk.trust(&["root", "update", "3"]));
    assert_eq!(desk.verdict(&bundle), "trusted");
    // An expired first root is not even installed.
    let elsewhere = Desk::new();
    let old = Root::new(
        [root_key.public_key().clone()],
        1.try_into().unwrap(),
        "2026-01-01T00:00:00Z".parse().unwrap(),
    );
    write(&old.unwrap(), &[&root_key], &elsewhere.path("1"));
    assert_fails(
        &elsewhere.trust(&["root", "install", "1"]),
        "trust.root-expired",
        3,
    );
}

#[test]
fn the_library_loads_the_model_that_was_asked_for_and_no_other() {
    use ampoule::LoadOptions;
    use ampoule_tests::{block_on, host_trusting};
    let acme = Publisher::new("acme");
    let host = host_trusting(&acme);
    let bundle = acme.every_task().write();
    let load = |expected: &str| {
        let options = LoadOptions::new().expecting(expected.parse().unwrap());
        block_on(host.load_with(bundle.path(), options))
    };
    let digest = load("acme/test@1").unwrap().manifest_digest();
    load(&format!("sha256:{digest}")).unwrap();
    for other in ["acme/test@2", "acme/other"] {
        assert_eq!(load(other).err().unwrap().code(), "trust.identity");
    }
}
