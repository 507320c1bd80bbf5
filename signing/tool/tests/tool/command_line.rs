//! `ampoule-sign` itself: the built binary, as a publisher calls it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ampoule_signing::{Bundle, ENVELOPE_FILE, MANIFEST_FILE, PublicKey, Timestamp, TrustStore};
use serde_json::Value;

use crate::fixture::{FILES, Fixture, PUBLISHER, snapshot};

pub(crate) const PASSWORD: &str = "a password";

pub(crate) fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ampoule-sign"));
    command
        .current_dir(dir)
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("AMPOULE_SIGN_PASSWORD")
        .env_remove("AMPOULE_TRUST");
    command
}

pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments)
        .env("AMPOULE_SIGN_PASSWORD", PASSWORD)
        .env("AMPOULE_SIGN_NEW_PASSWORD", PASSWORD)
        .output()
        .unwrap()
}

/// Runs to success and gives standard output; nothing may be on standard error.
#[track_caller]
pub(crate) fn answer(dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
pub(crate) fn json(dir: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&answer(dir, &[&["--json"], arguments].concat())).unwrap()
}

/// Runs to a refusal, in both forms: one line on standard error, and JSON on standard output.
#[track_caller]
pub(crate) fn assert_refused(dir: &Path, arguments: &[&str], code: &str, status: i32) {
    let before = snapshot(dir);
    let output = run(dir, arguments);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{line}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(
        line.starts_with("error: ") && line.ends_with(&format!("({code})\n")),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(!line.contains(dir.to_str().unwrap()), "{line}");
    let output = run(dir, &[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(status));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let error: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(error["error"]["code"], code);
    assert!(error["error"]["message"].as_str().unwrap().len() > 10);
    assert_eq!(error.as_object().unwrap().len(), 1);
    assert_eq!(snapshot(dir), before, "a refusal changes nothing on disk");
}

/// A directory with a component and assets in `bundle`.
pub(crate) fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("bundle/onnx")).unwrap();
    for (name, content) in FILES {
        fs::write(dir.path().join("bundle").join(name), content).unwrap();
    }
    dir
}

pub(crate) const INIT: [&str; 12] = [
    "init",
    "bundle",
    "--publisher",
    PUBLISHER,
    "--name",
    "minilm",
    "--version",
    "1.0.0",
    "--release",
    "1",
    "--task",
    "text-embedding",
];

#[test]
fn the_way_from_a_key_to_a_verified_bundle() {
    let dir = workplace();
    let dir = dir.path();
    let key = json(dir, &["keygen", "acme.key"]);
    assert_eq!(key["encrypted"], true);
    assert_eq!(
        fs::metadata(dir.join("acme.key")).unwrap().mode() & 0o7777,
        0o600
    );
    let private = fs::read_to_string(dir.join("acme.key")).unwrap();
    assert!(private.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    let public = PublicKey::read_file(&dir.join("acme.pub")).unwrap();
    assert_eq!(key["key_id"], public.key_id().to_string());
    assert_eq!(
        answer(dir, &["pubkey", "acme.key"]),
        public.to_pem().unwrap()
    );

    let manifest = json(dir, &INIT);
    assert_eq!(manifest["manifest"]["files"].as_array().unwrap().len(), 3);
    let signed = json(dir, &["sign", "bundle", "--key", "acme.key"]);
    assert_eq!(signed["signers"][0], key["key_id"]);

    let verified = json(dir, &["verify", "bundle", "--public-key", "acme.pub"]);
    assert_eq!(verified["verified"], true);
    assert_eq!(verified["manifest_digest"], signed["manifest_digest"]);
    TrustStore::update(&dir.join("trust"), |store| {
        store.insert(public.clone(), [PUBLISHER])
    })
    .unwrap();
    let trusted = json(dir, &["verify", "bundle", "--trust", "trust"]);
    assert_eq!(trusted, verified);
    let text = answer(dir, &["verify", "bundle", "--trust", "trust"]);
    assert!(
        text.starts_with("verified     minilm 1.0.0 (release 1) by acme, 4 files\n"),
        "{text}"
    );

    let inspected = json(dir, &["inspect", "bundle"]);
    assert_eq!(inspected["verified"], false);
    assert_eq!(inspected["manifest"], manifest["manifest"]);
    assert_eq!(inspected["signature_key_ids"][0], key["key_id"]);
    assert!(answer(dir, &["inspect", "bundle"]).starts_with("NOT VERIFIED"));

    // What the tool signed, the library verifies for a host.
    let trust = TrustStore::open(&dir.join("trust")).unwrap();
    let bundle = Bundle::open(&dir.join("bundle")).unwrap();
    assert_eq!(
        bundle.envelope().payload(),
        fs::read(dir.join("bundle/manifest.json")).unwrap()
    );
    bundle.verify(&trust, Timestamp::now()).unwrap();
}

#[test]
fn keygen_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    answer(dir.path(), &["keygen", "acme.key"]);
    assert_refused(dir.path(), &["keygen", "acme.key"], "io.exists", 8);
    fs::remove_file(dir.path().join("acme.key")).unwrap();
    assert_refused(dir.path(), &["keygen", "acme.key"], "io.exists", 8);
    fs::remove_file(dir.path().join("acme.pub")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("acme.key")).unwrap();
    assert_refused(dir.path(), &["keygen", "acme.key"], "io.exists", 8);
    let same = ["keygen", "same.pub", "--public-key", "same.pub"];
    assert_refused(dir.path(), &same, "usage.arguments", 2);
}

#[test]
fn a_key_is_unencrypted_only_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let made = json(dir.path(), &["keygen", "plain.key", "--no-encryption"]);
    assert_eq!(made["encrypted"], false);
    let private = fs::read_to_string(dir.path().join("plain.key")).unwrap();
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(
        fs::metadata(dir.path().join("plain.key")).unwrap().mode() & 0o7777,
        0o600
    );
    // No password anywhere and no terminal to ask: refused, not unencrypted.
    let output = command(dir.path(), &["keygen", "none.key"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .ends_with("(usage.password)\n")
    );
    let output = command(dir.path(), &["keygen", "none.key"])
        .env("AMPOULE_SIGN_PASSWORD", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "an empty password is none");
    assert!(!dir.path().join("none.key").exists() && !dir.path().join("none.pub").exists());
}

#[test]
fn passwords_come_from_a_file_or_the_environment_and_never_from_an_argument() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let output = command(
        dir.path(),
        &["keygen", "acme.key", "--password-file", "password"],
    )
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(0));
    // The file's line end is not part of the password: the environment's opens the key.
    answer(dir.path(), &["pubkey", "acme.key"]);
    let wrong = command(dir.path(), &["pubkey", "acme.key"])
        .env("AMPOULE_SIGN_PASSWORD", "wrong")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        String::from_utf8(wrong.stderr)
            .unwrap()
            .ends_with("(usage.password)\n")
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let open = ["pubkey", "acme.key", "--password-file", "password"];
    assert_refused(dir.path(), &open, "trust.permissions", 3);
    for argument in ["--password", "--password=x"] {
        assert_refused(
            dir.path(),
            &["pubkey", "acme.key", argument],
            "usage.arguments",
            2,
        );
    }
}

#[test]
fn a_private_key_that_others_may_read_does_not_sign() {
    let fixture = Fixture::unsigned();
    let dir = fixture.beside("");
    fixture
        .key
        .write_file(&fixture.beside("acme.key"), None)
        .unwrap();
    fs::set_permissions(
        fixture.beside("acme.key"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    assert_refused(
        &dir,
        &["sign", "bundle", "--key", "acme.key"],
        "trust.permissions",
        3,
    );
}

#[test]
fn init_takes_what_it_is_given_and_guesses_the_rest() {
    let dir = workplace();
    let more = [
        "--memory",
        "100MiB",
        "--timeout",
        "1500ms",
        "--init-fuel",
        "77",
        "--license",
        "MIT",
        "--annotation",
        "training.data=none",
        "--not-after",
        "2040-01-01T00:00:00Z",
        "--created",
        "2026-01-01T00:00:00Z",
        "--capability",
        "host-kernels",
    ];
    json(dir.path(), &[&INIT[..], &more].concat());
    let text = fs::read_to_string(dir.path().join("bundle").join(MANIFEST_FILE)).unwrap();
    assert!(
        text.contains("\n  \"publisher\": \"acme\",\n"),
        "a person can edit it: {text}"
    );
    let manifest: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest["limits"]["memory_bytes"], 100 << 20);
    assert_eq!(manifest["limits"]["deadline_ms"], 1500);
    assert_eq!(manifest["limits"]["init"]["fuel"], 77);
    assert!(manifest["limits"]["fuel"].as_u64().unwrap() > 0);
    assert_eq!(manifest["annotations"]["training.data"], "none");
    assert_eq!(manifest["not_after"], "2040-01-01T00:00:00Z");
    assert_eq!(manifest["created"], "2026-01-01T00:00:00Z");
    assert_eq!(manifest["capabilities"][0], "host-kernels");
    assert_eq!(manifest["component"]["path"], "component.wasm");
    assert_eq!(manifest["component"]["size"], FILES[0].1.len());
    let paths: Vec<&str> = manifest["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["config.json", "onnx/weights.bin", "tokenizer.json"]);
    assert_refused(dir.path(), &INIT, "io.exists", 8);
}

#[test]
fn init_refuses_what_cannot_be_published() {
    let dir = workplace();
    let with = |change: &[&'static str]| [&INIT[..], change].concat();
    let wrong_component = with(&["--component", "missing.wasm"]);
    assert_refused(dir.path(), &wrong_component, "file.missing", 3);
    assert_refused(dir.path(), &with(&["--memory", "0"]), "manifest.field", 3);
    assert_refused(
        dir.path(),
        &with(&["--memory", "lots"]),
        "usage.arguments",
        2,
    );
    assert_refused(
        dir.path(),
        &with(&["--timeout", "0s"]),
        "usage.arguments",
        2,
    );
    assert_refused(
        dir.path(),
        &with(&["--task", "Not A Task"]),
        "manifest.field",
        3,
    );
    let twice = with(&["--annotation", "a=1", "--annotation", "a=2"]);
    assert_refused(dir.path(), &twice, "usage.arguments", 2);
    let key = dir.path().join("bundle/acme.key");
    ampoule_signing::SecretKey::generate()
        .unwrap()
        .write_file(&key, Some("x"))
        .unwrap();
    assert_refused(dir.path(), &INIT, "usage.secret", 2);
    fs::remove_file(&key).unwrap();
    std::os::unix::fs::symlink("config.json", dir.path().join("bundle/link")).unwrap();
    assert_refused(dir.path(), &INIT, "file.symlink", 3);
    fs::remove_file(dir.path().join("bundle/link")).unwrap();
    fs::write(dir.path().join("bundle/ümlaut"), b"").unwrap();
    assert_refused(dir.path(), &INIT, "manifest.path", 3);
    let nowhere = [
        "init",
        "nowhere",
        "--publisher",
        "a",
        "--name",
        "b",
        "--version",
        "1.0.0",
    ];
    let nowhere = [
        &nowhere[..],
        &["--release", "1", "--task", "text-embedding"],
    ]
    .concat();
    assert_refused(dir.path(), &nowhere, "io.failed", 8);
}

#[test]
fn of_several_files_the_one_that_fails_is_named() {
    let dir = workplace();
    let dir = dir.path();
    answer(dir, &["keygen", "one.key"]);
    answer(dir, &["keygen", "three.key"]);
    answer(dir, &INIT);
    let message = |arguments: &[&str]| {
        let output = run(dir, &[&["--json"], arguments].concat());
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["error"]["message"].as_str().unwrap().to_owned()
    };
    let sign = |keys: [&str; 3]| {
        let keys = keys.map(|key| ["--key", key]).concat();
        message(&[&["sign", "bundle"], &keys[..]].concat())
    };
    let missing = sign(["one.key", "two.key", "three.key"]);
    assert!(missing.contains("\"two.key\""), "{missing}");
    fs::write(dir.join("two.key"), "no key").unwrap();
    let shared = sign(["one.key", "two.key", "three.key"]);
    assert!(shared.contains("\"two.key\""), "{shared}");
    fs::set_permissions(dir.join("two.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let wrong = sign(["one.key", "two.key", "three.key"]);
    assert!(wrong.contains("\"two.key\""), "{wrong}");
    // An error about the password's file names that, and not the key.
    let password = message(&[
        "sign",
        "bundle",
        "--key",
        "one.key",
        "--password-file",
        "nowhere",
    ]);
    assert!(password.contains("\"nowhere\""), "{password}");
    assert!(!password.contains("one.key"), "{password}");
}

#[test]
fn sign_refuses_a_manifest_that_does_not_fit_the_files() {
    let dir = workplace();
    answer(dir.path(), &["keygen", "acme.key", "--no-encryption"]);
    let sign = ["sign", "bundle", "--key", "acme.key"];
    assert_refused(dir.path(), &sign, "manifest.missing", 3);
    answer(dir.path(), &INIT);
    let config = dir.path().join("bundle/config.json");
    fs::write(&config, b"{\"hidden_size\":385}").unwrap();
    assert_refused(dir.path(), &sign, "file.digest", 3);
    fs::write(&config, b"{}").unwrap();
    assert_refused(dir.path(), &sign, "file.size", 3);
    fs::remove_file(&config).unwrap();
    assert_refused(dir.path(), &sign, "file.missing", 3);
    fs::write(&config, FILES[1].1).unwrap();
    let manifest = dir.path().join("bundle").join(MANIFEST_FILE);
    let good = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        good.replace("\"schema\": 1", "\"schema\": 1, \"extra\": 1"),
    )
    .unwrap();
    assert_refused(dir.path(), &sign, "manifest.field", 3);
    fs::write(&manifest, good).unwrap();
    fs::set_permissions(dir.path().join("bundle"), fs::Permissions::from_mode(0o777)).unwrap();
    assert_refused(dir.path(), &sign, "trust.permissions", 3);
    fs::set_permissions(dir.path().join("bundle"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!dir.path().join("bundle").join(ENVELOPE_FILE).exists());
    answer(dir.path(), &sign);
    assert!(manifest.exists(), "the publisher's own file stays");
    // Signing again replaces the envelope; nothing else is left in the directory.
    answer(dir.path(), &sign);
    let names = fs::read_dir(dir.path().join("bundle")).unwrap().count();
    assert_eq!(
        names, 6,
        "component, two assets, a directory, manifest and envelope"
    );
}

#[test]
fn verify_refuses_with_the_librarys_codes() {
    let fixture = Fixture::signed();
    let dir = fixture.beside("");
    fixture.write_public_key();
    let verify = ["verify", "bundle", "--public-key", "acme.pub"];
    answer(&dir, &verify);
    let other = [&verify[..], &["--publisher", "other"]].concat();
    assert_refused(&dir, &other, "trust.publisher", 3);
    answer(&dir, &["keygen", "stranger.key", "--no-encryption"]);
    let stranger = ["verify", "bundle", "--public-key", "stranger.pub"];
    assert_refused(&dir, &stranger, "trust.unknown-key", 3);
    assert_refused(
        &dir,
        &["verify", "bundle", "--trust", "nowhere"],
        "trust.missing",
        3,
    );
    let private = ["verify", "bundle", "--public-key", "stranger.key"];
    assert_refused(&dir, &private, "trust.malformed-key", 3);
    assert_refused(
        &dir,
        &["verify", "nowhere", "--public-key", "acme.pub"],
        "envelope.missing",
        3,
    );
    fs::write(fixture.file("config.json"), b"{\"hidden_size\":385}").unwrap();
    assert_refused(&dir, &verify, "file.digest", 3);
    fixture.sign_payload(b"no manifest");
    assert_refused(&dir, &verify, "manifest.malformed", 3);
    assert_refused(&dir, &["inspect", "bundle"], "manifest.malformed", 3);
}

#[test]
fn a_hostile_bundle_cannot_draw_on_the_terminal() {
    let fixture = Fixture::unsigned();
    fixture.sign_changed(|manifest| {
        manifest["description"] = "fine\nverified     by everybody\u{202e}".into();
    });
    let text = answer(&fixture.beside(""), &["inspect", "bundle"]);
    assert!(
        !text.contains("\nverified") && !text.contains('\u{202e}'),
        "{text}"
    );
}

#[test]
fn of_keys_and_passwords_on_standard_input_no_more_is_read_than_one_may_have() {
    let dir = workplace();
    answer(dir.path(), &["keygen", "acme.key"]);
    for arguments in [
        &["--json", "pubkey", "/dev/stdin"][..],
        &["--json", "key-id", "/dev/stdin"],
        &[
            "--json",
            "passwd",
            "acme.key",
            "--password-file",
            "/dev/stdin",
        ],
    ] {
        // Nothing but zeros, nearly without end, and no room is taken for them.
        let giant = tempfile::tempfile().unwrap();
        giant.set_len(1 << 42).unwrap();
        giant
            .set_permissions(fs::Permissions::from_mode(0o600))
            .unwrap();
        let mut command = command(dir.path(), arguments);
        let output = command.stdin(giant).output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{output:?}");
        let error: Value = serde_json::from_slice(&output.stdout).unwrap();
        // The system opens it anew by that name, so how far it was read cannot be seen; that it ended can.
        let message = error["error"]["message"].to_string();
        let is_bound = message.contains("more than the") || message.contains("too large");
        assert!(is_bound, "{arguments:?}: {message}");
    }
}
