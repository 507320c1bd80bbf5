//! `ampoule keys`: API keys are made, listed, replaced and ended.

use std::process::Output;

use ampoule_access::{KeyDirectory, KeyStore, KeyText, MacKeySource, Permission};
use ampoule_signing::{PermissionPolicy, Timestamp};
use ampoule_tests::{ampoule, assert_fails, json_of, succeeds};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with the key directory `keys`.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Runs `ampoule keys` for people.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = ampoule();
        command.current_dir(self.0.path()).arg("keys");
        let output = command.args(arguments).args(["--keys", "keys"]).output();
        output.unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Output {
        self.run(&[arguments, &["--json"]].concat())
    }

    fn add(&self, more: &[&str]) -> Value {
        let add = ["add", "--role", "infer", "--tenant", "acme"];
        succeeds(&self.json(&[&add, more].concat()))
    }

    fn list(&self, more: &[&str]) -> Vec<Value> {
        let listed = succeeds(&self.json(&[&["list"], more].concat()));
        listed["keys"].as_array().unwrap().clone()
    }

    /// Tells whether a server that follows the directory would accept a key.
    fn accepts(&self, key: &str) -> bool {
        let path = self.0.path().join("keys");
        let directory = KeyDirectory::new(path, PermissionPolicy::default());
        let store = KeyStore::open(directory, MacKeySource::Directory).unwrap();
        let key = KeyText::parse(key.as_bytes()).unwrap();
        let principal = store.check(&key, Timestamp::now());
        principal.is_ok_and(|principal| principal.may(Permission::Infer))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn a_key_is_printed_once_and_works_until_it_is_revoked() {
    let desk = Desk::new();
    let made = desk.run(&["add", "--role", "infer", "--tenant", "acme"]);
    assert!(made.status.success());
    // A script takes standard output as the key.
    let line = String::from_utf8(made.stdout).unwrap();
    let key = line.strip_suffix('\n').unwrap();
    assert!(KeyText::parse(key.as_bytes()).is_some(), "{key}");
    let said = String::from_utf8(made.stderr).unwrap();
    assert!(
        said.contains("not shown again") && said.contains(&key[4..20]),
        "{said}"
    );
    assert!(!said.contains(&key[21..]));
    assert!(desk.accepts(key));

    let secret = &key[21..];
    for arguments in [
        &["list"][..],
        &["list", "--all"],
        &["list", "--all", "--json"],
    ] {
        let listed = desk.run(arguments);
        let shown = String::from_utf8([listed.stdout, listed.stderr].concat()).unwrap();
        assert!(shown.contains(&key[4..20]), "{shown}");
        assert!(
            !shown.contains(secret) && !shown.contains("hmac"),
            "{shown}"
        );
    }
    assert_eq!(
        succeeds(&desk.json(&["revoke", &key[4..20]])),
        json!({ "revoked": [&key[4..20]] })
    );
    assert!(!desk.accepts(key));
    assert!(desk.list(&[]).is_empty());
    assert_eq!(desk.list(&["--all"])[0]["state"], "revoked");
}

#[test]
fn a_key_has_the_settings_that_it_was_made_with() {
    let desk = Desk::new();
    let made = desk.add(&[
        "--models",
        "minilm,tiny-*",
        "--tasks",
        "text-embedding",
        "--for",
        "90d",
        "--requests",
        "100/1m",
        "--burst",
        "20",
        "--tokens",
        "2e5/1m",
        "--fuel",
        "5e12/1h",
        "--concurrent",
        "8",
        "--note",
        "the search service",
    ]);
    let created: Timestamp = text(&made["created"]).parse().unwrap();
    let end: Timestamp = text(&made["not_after"]).parse().unwrap();
    assert_eq!(end.duration_since(created).as_secs(), 90 * 86_400);
    for (field, value) in [
        ("state", json!("live")),
        ("role", json!("infer")),
        ("tenant", json!("acme")),
        ("models", json!(["minilm", "tiny-*"])),
        ("tasks", json!(["text-embedding"])),
        ("note", json!("the search service")),
        ("revoked", Value::Null),
        ("replaces", Value::Null),
        (
            "rates",
            json!({
                "requests": "100/1m", "burst": 20, "tokens": "200000/1m",
                "fuel": "5000000000000/1h", "concurrent": 8,
            }),
        ),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    // The list has all of it but the key.
    let mut listed = made;
    assert!(listed.as_object_mut().unwrap().remove("key").is_some());
    assert_eq!(desk.list(&[]), [listed]);
    let plain = desk.add(&[]);
    assert_eq!(
        (&plain["models"], &plain["not_after"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(plain["rates"], json!({}));
}

#[test]
fn a_key_is_replaced_with_a_grace_or_at_once() {
    let desk = Desk::new();
    let first = desk.add(&["--models", "minilm"]);
    let second = succeeds(&desk.json(&["rotate", text(&first["name"])]));
    assert_eq!(second["replaces"], first["name"]);
    assert_eq!(second["models"], json!(["minilm"]));
    let [old, new] = [&first, &second].map(|key| desk.accepts(text(&key["key"])));
    assert!(old && new, "both, for a day");
    let old: Timestamp = text(&desk.list(&[])[0]["not_after"]).parse().unwrap();
    let made: Timestamp = text(&second["created"]).parse().unwrap();
    assert_eq!(old.duration_since(made).as_secs(), 86_400);

    let third = succeeds(&desk.json(&["rotate", text(&second["name"]), "--now"]));
    assert!(!desk.accepts(text(&second["key"])) && desk.accepts(text(&third["key"])));
    let ended = desk.json(&["rotate", text(&second["name"])]);
    assert_fails(&ended, "usage.ended-key", 2);
    let both = ["rotate", text(&third["name"]), "--now", "--grace", "1h"];
    assert_fails(&desk.json(&both), "usage.arguments", 2);
}

#[test]
fn all_keys_of_a_tenant_are_revoked_and_a_mistyped_name_is_no_revocation() {
    let desk = Desk::new();
    desk.add(&[]);
    desk.add(&[]);
    let other = desk.add(&[]);
    succeeds(&desk.json(&["add", "--role", "admin", "--tenant", "ops"]));
    let one = succeeds(&desk.json(&["revoke", text(&other["name"])]));
    assert_eq!(one["revoked"], json!([other["name"]]));
    let rest = succeeds(&desk.json(&["revoke", "--tenant", "acme"]));
    assert_eq!(rest["revoked"].as_array().unwrap().len(), 2);
    assert_eq!(desk.list(&[])[0]["tenant"], "ops");
    for wrong in [
        ["revoke", "0000000000000000"].as_slice(),
        &["revoke", "--tenant", "acmee"],
        &["revoke", "--tenant", "acme"],
        &["rotate", "0000000000000000"],
    ] {
        assert_fails(&desk.json(wrong), "usage.no-such-api-key", 2);
    }
    assert_eq!(succeeds(&desk.json(&["prune"])), json!({ "removed": [] }));
    assert_eq!(desk.list(&["--all"]).len(), 4);
}

/// It would be in the scrollback, and in the log of whatever ran the command.
#[test]
fn a_key_in_the_place_of_its_name_is_taken_for_its_name_and_not_repeated() {
    let desk = Desk::new();
    let made = desk.add(&[]);
    let key = text(&made["key"]);
    for given in [&key[..50], key] {
        let revoked = desk.run(&["revoke", given]);
        assert!(revoked.status.success());
        assert!(revoked.stdout.ends_with(b"\n1 key revoked\n"));
        let said = String::from_utf8([revoked.stdout, revoked.stderr].concat()).unwrap();
        assert!(!said.contains(&key[21..50]), "{said}");
    }
    assert!(!desk.accepts(key));
}

#[test]
fn each_refusal_about_keys_has_its_code_and_status_and_makes_nothing() {
    let desk = Desk::new();
    let add = ["add", "--role", "infer", "--tenant", "acme"];
    for (arguments, code, status) in [
        (&["list"][..], "key.missing", 3),
        (
            &[
                "add",
                "--role",
                "infer",
                "--tenant",
                "acme",
                "--note",
                "two\nlines",
            ],
            "usage.key-settings",
            2,
        ),
        (&["prune"], "key.missing", 3),
        (&["revoke", "0000000000000000"], "key.missing", 3),
        (&["rotate", "0000000000000000"], "key.missing", 3),
        (&["revoke", "wrong"], "usage.arguments", 2),
        (
            &["add", "--role", "root", "--tenant", "acme"],
            "usage.arguments",
            2,
        ),
        (
            &["add", "--role", "infer", "--tenant", "Acme!"],
            "usage.arguments",
            2,
        ),
        (
            &["add", "--role", "infer", "--tenant", "acme", "--burst", "3"],
            "usage.arguments",
            2,
        ),
        (
            &[
                "add", "--role", "infer", "--tenant", "acme", "--tasks", "singing",
            ],
            "usage.arguments",
            2,
        ),
        (
            &[
                "add", "--role", "infer", "--tenant", "acme", "--models", "a*b",
            ],
            "usage.arguments",
            2,
        ),
        (
            &[
                "add",
                "--role",
                "infer",
                "--tenant",
                "acme",
                "--requests",
                "lots",
            ],
            "usage.arguments",
            2,
        ),
        (
            &[
                "add",
                "--role",
                "infer",
                "--tenant",
                "acme",
                "--not-after",
                "2020-01-01T00:00:00Z",
            ],
            "usage.setting",
            2,
        ),
        (
            &[
                "add",
                "--role",
                "infer",
                "--tenant",
                "acme",
                "--for",
                "99999999d",
            ],
            "usage.setting",
            2,
        ),
    ] {
        assert_fails(&desk.json(arguments), code, status);
        assert!(!desk.0.path().join("keys").exists(), "{arguments:?}");
    }
    // Nothing above the key directory is made either.
    let mistyped = desk.0.path().join("mistyped/keys");
    let mut command = ampoule();
    command.arg("keys").args(add).args(["--json", "--keys"]);
    let refused = command.arg(&mistyped).output().unwrap();
    assert_fails(&refused, "io.failed", 8);
    let message = json_of(&refused)["error"]["message"].to_string();
    assert!(
        message.contains(mistyped.to_str().unwrap())
            && message.contains("make the directory above the key directory first"),
        "{message}"
    );
    assert_eq!(std::fs::read_dir(desk.0.path()).unwrap().count(), 0);
    let nowhere = ampoule().args(["keys", "list", "--json"]).output().unwrap();
    assert_fails(&nowhere, "usage.keys", 2);

    desk.add(&[]);
    let file = desk.0.path().join("keys/keys.toml");
    std::fs::write(&file, "schema = 1\nkyes = []\n").unwrap();
    let malformed = desk.json(&["list"]);
    assert_fails(&malformed, "key.malformed", 3);
    let message = json_of(&malformed)["error"]["message"].to_string();
    assert!(
        message.contains("line 2: unknown field `kyes`"),
        "{message}"
    );
    std::fs::remove_file(&file).unwrap();
    std::fs::write(desk.0.path().join("keys/mac-key"), "short").unwrap();
    assert_fails(&desk.json(&add), "key.mac-key", 3);
}
