//! `ampoule-sign root`: the ceremony of a fleet's root, command by command, and its rotation.

use std::fs;
use std::path::Path;

use ampoule_signing::{Root, SignedRoot, Timestamp, VerifiedRoot, read_draft};

use crate::command_line::{answer, assert_refused, json};
use crate::fixture::snapshot;

const EXPIRES: &str = "2099-01-01T00:00:00Z";

/// The digest of a signed root, as its signers tell it to each other.
fn digest(dir: &Path, root: &str) -> String {
    let shown = json(dir, &["root", "inspect", root]);
    format!("sha256:{}", shown["root_digest"].as_str().unwrap())
}

/// Adds the signature of `key` to the root that it is now.
fn cosign(dir: &Path, root: &str, key: &str) {
    let digest = digest(dir, root);
    answer(
        dir,
        &["root", "cosign", root, "--key", key, "--digest", &digest],
    );
}

/// Ann and Bob make a root that both have to sign and that lets acme's key sign acme's models.
fn first_root(dir: &Path) {
    for key in ["ann.key", "bob.key", "eve.key", "acme.key"] {
        answer(dir, &["keygen", key, "--no-encryption"]);
    }
    let init = [
        "root",
        "init",
        "root.json",
        "--name",
        "fleet",
        "--key",
        "ann.pub",
        "--key",
        "bob.pub",
        "--threshold",
        "2",
        "--expires",
        EXPIRES,
    ];
    let made = json(dir, &init);
    assert_eq!(
        (&made["root"]["version"], &made["root"]["threshold"]),
        (&1.into(), &2.into())
    );
    assert_refused(dir, &init, "io.exists", 8);
    let delegate = [
        "root",
        "delegate",
        "root.json",
        "acme/*",
        "--key",
        "acme.pub",
    ];
    let made = json(
        dir,
        &[
            &delegate[..],
            &["--cap-memory", "256MiB", "--cap-timeout", "5s"],
        ]
        .concat(),
    );
    let delegation = &made["root"]["delegations"][0];
    assert_eq!(delegation["models"][0], "acme/*");
    assert_eq!(delegation["caps"]["memory"], "256MiB");
    assert_eq!(delegation["caps"]["timeout"], "5s");
    answer(dir, &["root", "sign", "root.json", "--key", "ann.key"]);
    let signed = ["root", "verify", "1.root.dsse.json"];
    assert_refused(dir, &signed, "trust.threshold", 3);
    cosign(dir, "1.root.dsse.json", "bob.key");
    assert_eq!(json(dir, &signed)["verified"], true);
}

#[test]
fn the_way_from_keys_to_a_root_that_hosts_install() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    first_root(dir);
    let shown = answer(dir, &["root", "inspect", "1.root.dsse.json"]);
    assert!(
        shown.starts_with("NOT VERIFIED") && shown.contains("acme/*: 1 of 1 keys"),
        "{shown}"
    );
    // What was signed is the draft, byte for byte.
    let signed = SignedRoot::read_file(&dir.join("1.root.dsse.json")).unwrap();
    assert_eq!(
        signed.envelope().payload(),
        fs::read(dir.join("root.json")).unwrap()
    );
    let digest = digest(dir, "1.root.dsse.json");
    for (key, code, status) in [
        ("bob.key", "usage.signed", 2),
        ("eve.key", "trust.malformed", 3),
    ] {
        let cosign = ["root", "cosign", "1.root.dsse.json", "--key", key];
        let arguments = [&cosign[..], &["--digest", &digest]].concat();
        assert_refused(dir, &arguments, code, status);
    }
    let again = ["root", "sign", "root.json", "--key", "ann.key"];
    assert_refused(dir, &again, "io.exists", 8);
    VerifiedRoot::install(&dir.join("trust"), signed, Timestamp::now()).unwrap();
}

#[test]
fn a_root_key_is_replaced_by_the_old_and_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    first_root(dir);
    let first = SignedRoot::read_file(&dir.join("1.root.dsse.json")).unwrap();
    let trust = dir.join("trust");
    VerifiedRoot::install(&trust, first, Timestamp::now()).unwrap();

    // Bob goes, Eve comes.
    let bob = json(dir, &["pubkey", "bob.key"])["key_id"]
        .as_str()
        .unwrap()
        .to_owned();
    answer(dir, &["root", "next", "root.json", "--expires", EXPIRES]);
    let remove = ["root", "remove-key", "root.json", &bob];
    assert_refused(dir, &remove, "trust.malformed", 3);
    answer(dir, &["root", "add-key", "root.json", "eve.pub"]);
    answer(dir, &remove);
    assert_refused(dir, &remove, "trust.malformed", 3);
    let (_, draft) = read_draft::<Root>(&dir.join("root.json")).unwrap();
    assert_eq!((draft.version(), draft.keys().count()), (2, 2));

    answer(dir, &["root", "sign", "root.json", "--key", "ann.key"]);
    cosign(dir, "2.root.dsse.json", "eve.key");
    // By its own keys it is in order; as a successor it lacks Bob's farewell.
    answer(dir, &["root", "verify", "2.root.dsse.json"]);
    let verify = [
        "root",
        "verify",
        "2.root.dsse.json",
        "--from",
        "1.root.dsse.json",
    ];
    assert_refused(dir, &verify, "trust.threshold", 3);
    cosign(dir, "2.root.dsse.json", "bob.key");
    answer(dir, &verify);
    let second = SignedRoot::read_file(&dir.join("2.root.dsse.json")).unwrap();
    let updated = VerifiedRoot::update(&trust, [Ok(second)], Timestamp::now()).unwrap();
    assert_eq!(updated.root().version(), 2);
    let back = [
        "root",
        "verify",
        "1.root.dsse.json",
        "--from",
        "2.root.dsse.json",
    ];
    assert_refused(dir, &back, "trust.threshold", 3);
}

#[test]
fn a_keys_end_stays_until_somebody_takes_it_away() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    first_root(dir);
    let delegate = |options: &[&str]| {
        let arguments = [&["root", "delegate", "root.json", "acme/*"], options].concat();
        json(dir, &arguments)["root"]["delegations"][0].clone()
    };
    let end = |delegation: &serde_json::Value| {
        let keys = delegation["keys"].as_array().unwrap();
        let old = keys
            .iter()
            .find(|key| key["id"] == json(dir, &["pubkey", "acme.key"])["key_id"]);
        old.unwrap()["not_after"].clone()
    };
    let acme = ["--key", "acme.pub"];
    delegate(&[&acme[..], &["--not-after", "2098-01-01T00:00:00Z"]].concat());
    // The next rule names the old key too.
    let two = delegate(&[&acme[..], &["--key", "eve.pub", "--threshold", "2"]].concat());
    assert_eq!(two["threshold"], 2);
    assert_eq!(end(&two), "2098-01-01T00:00:00Z");
    let wide = delegate(&[&acme[..], &["--not-after", "none"]].concat());
    assert_eq!(end(&wide), serde_json::Value::Null);
    let keyless = ["root", "delegate", "root.json", "acme/*", "--not-after"];
    assert_refused(
        dir,
        &[&keyless[..], &["none"]].concat(),
        "usage.arguments",
        2,
    );
}

#[test]
fn a_root_is_cosigned_only_when_it_is_the_one_that_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    first_root(dir);
    answer(dir, &["root", "next", "root.json", "--expires", EXPIRES]);
    answer(dir, &["root", "sign", "root.json", "--key", "ann.key"]);
    let meant = digest(dir, "2.root.dsse.json");
    // Somebody swaps the file for another root that Ann signed.
    fs::remove_file(dir.join("2.root.dsse.json")).unwrap();
    let delegate = [
        "root",
        "delegate",
        "root.json",
        "acme/*",
        "--key",
        "eve.pub",
    ];
    answer(dir, &delegate);
    answer(dir, &["root", "sign", "root.json", "--key", "ann.key"]);
    let cosign = ["root", "cosign", "2.root.dsse.json", "--key", "bob.key"];
    let expecting = [&cosign[..], &["--digest", &meant]].concat();
    assert_refused(dir, &expecting, "trust.digest", 3);
    // And where nobody can be asked, nothing is signed unseen.
    assert_refused(dir, &cosign, "usage.arguments", 2);
    let other = digest(dir, "2.root.dsse.json");
    answer(dir, &[&cosign[..], &["--digest", &other]].concat());
}

#[test]
fn nobody_signs_a_root_that_has_expired_by_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    first_root(dir);
    let past = "2026-01-01T00:00:00Z";
    answer(dir, &["root", "next", "root.json", "--expires", past]);
    let sign = ["root", "sign", "root.json", "--key", "ann.key"];
    assert_refused(dir, &sign, "usage.expired", 2);
    answer(dir, &[&sign[..], &["--allow-expired"]].concat());
    let digest = digest(dir, "2.root.dsse.json");
    let cosign = ["root", "cosign", "2.root.dsse.json", "--key", "bob.key"];
    let cosign = [&cosign[..], &["--digest", &digest]].concat();
    assert_refused(dir, &cosign, "usage.expired", 2);
    answer(dir, &[&cosign[..], &["--allow-expired"]].concat());
}

#[test]
fn no_version_of_a_root_is_left_unsigned() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    first_root(dir);
    let next = ["root", "next", "root.json", "--expires", EXPIRES];
    answer(dir, &next);
    assert_refused(dir, &next, "usage.arguments", 2);
    let sign = ["root", "sign", "root.json", "--key", "ann.key"];
    answer(dir, &[&sign[..], &["--out", "elsewhere"]].concat());
    assert_refused(dir, &next, "usage.arguments", 2);
    // Nor is one that was changed after it was signed.
    let delegate = ["root", "delegate", "root.json", "acme/*"];
    answer(dir, &[&delegate[..], &["--cap-fuel", "7"]].concat());
    let named = [&next[..], &["--signed", "elsewhere"]].concat();
    assert_refused(dir, &named, "usage.arguments", 2);
    answer(dir, &sign);
    answer(dir, &next);
}

#[test]
fn a_rule_leaves_a_draft_when_somebody_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    first_root(dir);
    let minilm = ["root", "delegate", "root.json", "acme/minilm"];
    answer(dir, &[&minilm[..], &["--key", "eve.pub"]].concat());
    let eve = json(dir, &["pubkey", "eve.key"])["key_id"]
        .as_str()
        .unwrap()
        .to_owned();
    // Its only key does not go alone: nobody could sign the model, and no wider rule may take over.
    let remove_key = ["root", "remove-key", "root.json", &eve];
    assert_refused(dir, &remove_key, "trust.malformed", 3);
    let remove = ["root", "remove-delegation", "root.json", "acme/minilm"];
    let left = json(dir, &remove);
    let models = &left["root"]["delegations"];
    assert_eq!(models.as_array().unwrap().len(), 1);
    assert_eq!(models[0]["models"][0], "acme/*");
    assert_refused(dir, &remove, "usage.arguments", 2);
}

#[test]
fn a_draft_that_breaks_a_rule_is_not_written_and_not_signed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    first_root(dir);
    let before = snapshot(dir);
    for arguments in [
        &[
            "root",
            "delegate",
            "root.json",
            "acme/*",
            "--threshold",
            "2",
        ][..],
        &["root", "delegate", "root.json", "*", "--key", "eve.pub"],
        &["root", "add-key", "root.json", "ann.pub"],
        &[
            "root",
            "add-key",
            "root.json",
            "eve.pub",
            "--threshold",
            "4",
        ],
        &["root", "next", "root.json", "--expires", "soon"],
    ] {
        let error = json_error(dir, arguments);
        assert!(
            ["trust.malformed", "usage.arguments"].contains(&error.as_str()),
            "{arguments:?}: {error}"
        );
    }
    assert_eq!(snapshot(dir), before);
    let text = fs::read_to_string(dir.join("root.json")).unwrap();
    fs::write(
        dir.join("root.json"),
        text.replacen("\"version\": 1", "\"version\": 2, \"extra\": 1", 1),
    )
    .unwrap();
    let sign = ["root", "sign", "root.json", "--key", "ann.key"];
    assert_refused(dir, &sign, "trust.malformed", 3);
}

fn json_error(dir: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ampoule-sign"))
        .current_dir(dir)
        .args(arguments)
        .arg("--json")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    error["error"]["code"].as_str().unwrap().to_owned()
}
