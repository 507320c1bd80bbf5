//! The options that change a delegation, as `ampoule-sign root delegate` takes them; those of
//! `ampoule trust add` are the same.

use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::{answer, assert_refused, json as run};

/// A draft where one key may sign acme's models.
fn draft() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    answer(dir.path(), &["keygen", "acme.key", "--no-encryption"]);
    let init = [
        "root",
        "init",
        "root.json",
        "--name",
        "fleet",
        "--key",
        "acme.pub",
        "--expires",
        "2099-01-01T00:00:00Z",
    ];
    answer(dir.path(), &init);
    delegate(dir.path(), &["--key", "acme.pub"]);
    dir
}

fn delegate(dir: &Path, options: &[&str]) -> Value {
    let arguments = [&["root", "delegate", "root.json", "acme/*"], options].concat();
    run(dir, &arguments)["root"]["delegations"][0].clone()
}

#[test]
fn every_cap_is_set_and_taken_away() {
    let dir = draft();
    let set = delegate(
        dir.path(),
        &[
            "--cap-capability",
            "host-kernels",
            "--cap-memory",
            "256MiB",
            "--cap-fuel",
            "9007199254740991",
            "--cap-timeout",
            "1500ms",
            "--cap-output",
            "1MiB",
            "--cap-init-memory",
            "512MiB",
            "--cap-init-fuel",
            "8",
            "--cap-init-timeout",
            "30s",
        ],
    );
    let all = json!({
        "capabilities": ["host-kernels"],
        "memory": "256MiB",
        "fuel": 9_007_199_254_740_991_u64,
        "timeout": "1500ms",
        "output": "1MiB",
        "init_memory": "512MiB",
        "init_fuel": 8,
        "init_timeout": "30s",
    });
    assert_eq!(set["caps"], all);
    // Another change leaves them.
    assert_eq!(delegate(dir.path(), &["--threshold", "1"])["caps"], all);
    let none = delegate(dir.path(), &["--cap-no-capability"]);
    assert_eq!(none["caps"]["capabilities"], json!([]));
    for (name, field) in [
        ("capability", "capabilities"),
        ("memory", "memory"),
        ("fuel", "fuel"),
        ("timeout", "timeout"),
        ("output", "output"),
        ("init-memory", "init_memory"),
        ("init-fuel", "init_fuel"),
        ("init-timeout", "init_timeout"),
    ] {
        let left = delegate(dir.path(), &["--no-cap", name]);
        assert_eq!(left["caps"][field], Value::Null, "{name}");
    }
    assert_eq!(delegate(dir.path(), &[])["caps"], Value::Null);
}

#[test]
fn a_rule_gets_a_time_and_loses_it_again() {
    let dir = draft();
    let (first, last) = ("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
    let rule = delegate(dir.path(), &["--from", first, "--until", last]);
    assert_eq!(
        (&rule["not_before"], &rule["not_after"]),
        (&json!(first), &json!(last))
    );
    assert_eq!(
        rule["keys"][0]["not_after"],
        Value::Null,
        "the key has none"
    );
    let rule = delegate(dir.path(), &["--until", "none"]);
    assert_eq!(
        (&rule["not_before"], &rule["not_after"]),
        (&json!(first), &Value::Null)
    );
}

#[test]
fn what_a_rule_cannot_say_is_refused_before_anything_is_written() {
    let dir = draft();
    for option in [
        ["--cap-capability", "host_kernels"],
        ["--cap-memory", "0"],
        ["--cap-memory", "64XiB"],
        ["--cap-output", "0B"],
        ["--cap-init-memory", "0KiB"],
        ["--cap-fuel", "0"],
        ["--cap-fuel", "9007199254740992"],
        ["--cap-fuel", "18446744073709551615"],
        ["--cap-init-fuel", "0"],
        ["--cap-timeout", "0s"],
        ["--cap-timeout", "1ms 500us"],
        ["--cap-init-timeout", "5"],
        ["--no-cap", "disk"],
        ["--until", "tomorrow"],
        ["--threshold", "0"],
    ] {
        let arguments = [&["root", "delegate", "root.json", "acme/*"], &option[..]].concat();
        assert_refused(dir.path(), &arguments, "usage.arguments", 2);
    }
    let backwards = [
        "root",
        "delegate",
        "root.json",
        "acme/*",
        "--from",
        "2031-01-01T00:00:00Z",
        "--until",
        "2030-01-01T00:00:00Z",
    ];
    assert_refused(dir.path(), &backwards, "trust.malformed", 3);
}
