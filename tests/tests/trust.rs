//! `ampoule trust`: rules for publishers, and their effect on models.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use ampoule_signing::{SecretKey, cosign_directory};
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
    assert_eq!(
        listed,
        json!({ "root": null, "caps": {}, "delegations": [&added] })
    );
    let mut shown = added;
    shown["root"] = json!(null);
    assert_eq!(succeeds(&desk.trust(&["show", "acme/test"])), shown);
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
fn a_key_is_trusted_whatever_stands_around_it_and_what_is_none_is_named() {
    let desk = Desk::new();
    let publisher = Publisher::new("acme");
    let pem = publisher.public_key().to_pem().unwrap();
    let id = publisher.public_key().key_id().to_string();
    let add = |file: &str| {
        std::fs::write(desk.path("key.pub"), file).unwrap();
        desk.trust(&["add", "--publisher", "acme", "key.pub"])
    };
    for file in [
        format!("{pem}\n"),
        format!("{pem}# of acme\n").replace('\n', "\r\n"),
        format!("\u{feff}acme's key\n{pem}"),
    ] {
        assert_eq!(succeeds(&add(&file))["keys"][0]["id"], json!(id));
        assert!(desk.trust(&["remove", &id]).status.success());
    }
    let another = Publisher::new("acme").public_key().to_pem().unwrap();
    let certificate = pem.replace("PUBLIC KEY", "CERTIFICATE");
    for (file, name) in [
        (format!("{pem}{another}"), "several keys"),
        (certificate, "openssl x509"),
        ("ssh-ed25519 AAAA a@example\n".to_owned(), "SSH"),
    ] {
        let refused = add(&file);
        assert_fails(&refused, "trust.malformed-key", 3);
        let said = [refused.stdout, refused.stderr].concat();
        assert!(String::from_utf8(said).unwrap().contains(name), "{name}");
    }
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
fn what_does_not_hold_now_is_marked() {
    let desk = Desk::new();
    let (old, new) = (Publisher::new("acme"), Publisher::new("acme"));
    desk.key_file("old.pub", old.public_key());
    desk.key_file("new.pub", new.public_key());
    let add = ["add", "--publisher", "acme"];
    let past = "2026-01-01T00:00:00Z";
    succeeds(&desk.trust(&[&add[..], &["old.pub", "--not-after", past]].concat()));
    let added = succeeds(&desk.trust(&[&add[..], &["new.pub"]].concat()));
    assert_eq!(added["is_valid"], true);
    for key in added["keys"].as_array().unwrap() {
        let is_new = key["id"] == new.public_key().key_id().to_string();
        assert_eq!(key["is_valid"], is_new, "{added}");
    }
    // The whole rule, by its own end. The listing shows the rule that decides.
    let bundle = new.every_task().write();
    assert_eq!(desk.verdict(&bundle), "trusted");
    let ended = succeeds(&desk.trust(&[&add[..], &["--until", past]].concat()));
    assert_eq!(ended["is_valid"], false);
    assert_eq!(desk.verdict(&bundle), "trust.validity");
    let text = ampoule_tests::ampoule()
        .args(["trust", "list", "--trust"])
        .arg(desk.path("trust"))
        .output()
        .unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert_eq!(text.matches("NOT NOW").count(), 2, "{text}");
}

#[test]
fn a_limit_on_the_command_line_of_trust_is_refused() {
    let desk = Desk::new();
    let acme = Publisher::new("acme");
    desk.key_file("acme.pub", acme.public_key());
    let add = [
        "add",
        "--publisher",
        "acme",
        "acme.pub",
        "--memory",
        "64MiB",
    ];
    assert_fails(&desk.trust(&add), "usage.arguments", 2);
    let none = ["add", "--publisher", "acme", "acme.pub", "--threshold", "0"];
    let refused = desk.trust(&none);
    assert_fails(&refused, "usage.arguments", 2);
    let text = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(
        text.contains("expected a number of keys, 1 or more"),
        "{text}"
    );
    assert!(!desk.path("trust").exists());
}

#[test]
fn a_rule_that_could_not_be_read_again_is_refused_and_the_old_one_stays() {
    let desk = Desk::new();
    let acme = Publisher::new("acme");
    desk.key_file("acme.pub", acme.public_key());
    let add = ["add", "--publisher", "acme", "acme.pub"];
    succeeds(&desk.trust(&add));
    let before = std::fs::read(desk.path("trust/trust.toml")).unwrap();
    let (early, late) = ("2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z");
    for (options, code, status) in [
        (
            &["--not-before", late, "--not-after", early][..],
            "trust.malformed",
            3,
        ),
        (&["--from", late, "--until", early], "trust.malformed", 3),
        (&["--cap-capability", "host_kernels"], "usage.arguments", 2),
        (&["--cap-memory", "0"], "usage.arguments", 2),
        (&["--cap-fuel", "0"], "usage.arguments", 2),
        (&["--cap-fuel", "9007199254740992"], "usage.arguments", 2),
        (
            &["--cap-fuel", "18446744073709551615"],
            "usage.arguments",
            2,
        ),
    ] {
        let refused = desk.trust(&[&add[..], options].concat());
        assert_fails(&refused, code, status);
        assert_eq!(
            std::fs::read(desk.path("trust/trust.toml")).unwrap(),
            before
        );
    }
    assert_eq!(desk.verdict(&acme.every_task().write()), "trusted");
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
fn a_cap_on_all_models_holds_for_each_publishers() {
    let desk = Desk::new();
    let acme = Publisher::new("acme");
    desk.key_file("acme.pub", acme.public_key());
    let add = ["add", "--publisher", "acme", "acme.pub"];
    succeeds(&desk.trust(&[&add[..], &["--cap-memory", "128MiB"]].concat()));
    let bundle = acme.every_task().write();
    assert_eq!(desk.verdict(&bundle), "trusted");
    let caps = succeeds(&desk.trust(&["caps", "--cap-memory", "32MiB"]));
    assert_eq!(caps, json!({ "memory": "32MiB" }));
    assert_eq!(desk.verdict(&bundle), "admission.limit");
    assert_eq!(succeeds(&desk.trust(&["list"]))["caps"], caps);
    succeeds(&desk.trust(&["caps", "--no-cap", "memory"]));
    assert_eq!(desk.verdict(&bundle), "trusted");
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

#[test]
fn the_library_loads_the_model_that_was_asked_for_and_no_other() {
    use ampoule::LoadOptions;
    use ampoule_tests::{block_on, host_trusting};
    let acme = Publisher::new("acme");
    let host = host_trusting(&acme);
    let bundle = acme.every_task().write();
    let load = |expected: &str| {
        let options = LoadOptions {
            expected: Some(expected.parse().unwrap()),
            ..LoadOptions::default()
        };
        block_on(host.load_with(bundle.path(), options))
    };
    let digest = load("acme/test@1").unwrap().manifest_digest();
    load(&format!("sha256:{digest}")).unwrap();
    for other in ["acme/test@2", "acme/other"] {
        assert_eq!(load(other).err().unwrap().code(), "trust.identity");
    }
}
