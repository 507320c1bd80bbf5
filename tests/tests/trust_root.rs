//! A fleet's signed root, as an operator installs and follows it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ampoule_signing::{Root, SecretKey, SignedRoot};
use ampoule_tests::{Desk, Publisher, ampoule, assert_fails, succeeds};
use serde_json::json;

/// A root of version 1 that one key signs and that lets `publisher` sign acme's models.
fn first_root(key: &SecretKey, publisher: &Publisher) -> Root {
    let expires = "2099-01-01T00:00:00Z".parse().unwrap();
    Root::new(
        "fleet",
        [key.public_key().clone()],
        1.try_into().unwrap(),
        expires,
    )
    .unwrap()
    .change_trust(|trust| trust.insert(publisher.public_key().clone(), ["acme"]))
    .unwrap()
}

/// Writes a signed root and says its digest, as its signers would.
fn write(root: &Root, keys: &[&SecretKey], path: &Path) -> String {
    let payload = root.to_json().unwrap().into_bytes();
    let signed = SignedRoot::sign(payload, keys).unwrap();
    signed.write_file(path).unwrap();
    format!("sha256:{}", signed.digest())
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
    let digest = write(&first, &[&root_key], &desk.path("1.root.dsse.json"));
    write(&second, &[&root_key], &desk.path("2.root.dsse.json"));
    let bundles = [old.every_task().write(), new.every_task().write()];

    let update = ["root", "update", "2.root.dsse.json"];
    assert_fails(&desk.trust(&update), "trust.root-missing", 3);
    let install = ["root", "install", "1.root.dsse.json", "--digest", &digest];
    assert_eq!(succeeds(&desk.trust(&install))["version"], 1);
    assert_fails(&desk.trust(&install), "trust.root-installed", 3);
    assert_eq!(
        bundles.each_ref().map(|one| desk.verdict(one)),
        ["trusted", "trust.unknown-key"]
    );
    assert!(desk.embed(bundles[0].path()).status.success());

    // One list for all machines: older documents are passed over, and unreadable ones reported.
    std::fs::write(desk.path("10.root.dsse.json"), "cut off").unwrap();
    let all = ["root", "update", "1.root.dsse.json", "10.root.dsse.json"];
    let all = [&all[..], &["2.root.dsse.json"]].concat();
    assert_fails(&desk.trust(&all), "envelope.malformed", 3);
    assert_eq!(succeeds(&desk.trust(&["root", "show"]))["version"], 2);
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
    let digests = [(&first, "1"), (&expired, "2"), (&fresh, "3")]
        .map(|(root, name)| write(root, &[&root_key], &desk.path(name)));
    let bundle = acme.every_task().write();
    succeeds(&desk.trust(&["root", "install", "1", "--digest", &digests[0]]));
    assert_fails(
        &desk.trust(&["root", "update", "2"]),
        "trust.root-expired",
        3,
    );
    assert_fails(&desk.embed(bundle.path()), "trust.root-expired", 3);
    for show in [&["show", "acme/test"][..], &["root", "show"]] {
        let shown = succeeds(&desk.trust(show));
        let root = shown.get("root").unwrap_or(&shown);
        assert_eq!(root["is_expired"], true, "{shown}");
    }
    assert_eq!(succeeds(&desk.trust(&["list"]))["root"]["is_expired"], true);
    succeeds(&desk.trust(&["root", "update", "3"]));
    assert_eq!(desk.verdict(&bundle), "trusted");
    // An expired first root is not even installed.
    let elsewhere = Desk::new();
    let old = Root::new(
        "fleet",
        [root_key.public_key().clone()],
        1.try_into().unwrap(),
        "2026-01-01T00:00:00Z".parse().unwrap(),
    );
    let digest = write(&old.unwrap(), &[&root_key], &elsewhere.path("1"));
    assert_fails(
        &elsewhere.trust(&["root", "install", "1", "--digest", &digest]),
        "trust.root-expired",
        3,
    );
}

#[test]
fn a_first_root_is_installed_only_by_its_digest() {
    let desk = Desk::new();
    let root_key = SecretKey::generate().unwrap();
    let acme = Publisher::new("acme");
    let digest = write(&first_root(&root_key, &acme), &[&root_key], &desk.path("1"));
    // Anybody can make a root that is in order.
    let stranger = SecretKey::generate().unwrap();
    write(
        &first_root(&stranger, &acme),
        &[&stranger],
        &desk.path("other"),
    );
    let install = |file, digest| desk.trust(&["root", "install", file, "--digest", digest]);
    assert_fails(&install("other", &digest), "trust.digest", 3);
    // Without a terminal, and without a digest, there is no consent.
    assert_fails(&desk.trust(&["root", "install", "1"]), "usage.digest", 2);
    assert!(!desk.path("trust").exists(), "a refusal makes nothing");
    succeeds(&install("1", &digest));
    let shown = succeeds(&desk.trust(&["root", "show"]));
    assert_eq!(
        format!("sha256:{}", shown["root_digest"].as_str().unwrap()),
        digest
    );
    assert_eq!(
        shown["key_ids"],
        json!([root_key.public_key().key_id().to_string()])
    );
    assert_eq!(
        (&shown["threshold"], &shown["is_expired"]),
        (&json!(1), &json!(false))
    );
}

/// Runs `ampoule trust` on a terminal, made by `script` (util-linux), where somebody types `answer`.
fn on_a_terminal(desk: &Desk, arguments: &str, answer: &str) -> (String, bool) {
    let program = ampoule();
    let program = Path::new(program.get_program()).display();
    let command = format!("{program} trust --trust trust {arguments}");
    let mut child = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--echo",
            "never",
            "--command",
            &command,
            "/dev/null",
        ])
        .current_dir(desk.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    keyboard.write_all(answer.as_bytes()).unwrap();
    drop(keyboard);
    let output = child.wait_with_output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    (shown, output.status.success())
}

#[test]
fn a_first_root_is_shown_before_it_is_installed() {
    let desk = Desk::new();
    let root_key = SecretKey::generate().unwrap();
    let first = first_root(&root_key, &Publisher::new("acme"));
    let digest = write(&first, &[&root_key], &desk.path("1"));
    let (shown, success) = on_a_terminal(&desk, "root install 1", "y\n");
    assert!(!success && shown.contains("(usage.declined)"), "{shown}");
    assert!(!desk.path("trust").exists());
    let (shown, success) = on_a_terminal(&desk, "root install 1", "yes\n");
    assert!(success, "{shown}");
    let question = shown.find("Is this the digest").unwrap();
    assert!(
        shown.find(&digest).is_some_and(|at| at < question),
        "{shown}"
    );
    succeeds(&desk.trust(&["root", "show"]));
}
