//! `ampoule-sign passwd`, `digest`, `pack` and `unpack`, as a publisher calls them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use ampoule_signing::SecretKey;

use crate::command_line::{INIT, answer, assert_refused, json, workplace};

#[test]
fn a_key_gets_another_password_and_stays_the_same_key() {
    let dir = workplace();
    let dir = dir.path();
    answer(dir, &["keygen", "acme.key"]);
    let before = answer(dir, &["pubkey", "acme.key"]);
    fs::write(dir.join("new"), "another password\n").unwrap();
    fs::set_permissions(dir.join("new"), fs::Permissions::from_mode(0o600)).unwrap();
    let passwd = ["passwd", "acme.key", "--new-password-file", "new"];
    assert_eq!(json(dir, &passwd)["encrypted"], true);
    // The environment still has the old one.
    assert_refused(dir, &["pubkey", "acme.key"], "usage.password", 2);
    assert_refused(dir, &passwd, "usage.password", 2);
    let with_new = ["pubkey", "acme.key", "--password-file", "new"];
    assert_eq!(answer(dir, &with_new), before);
    assert_eq!(
        fs::metadata(dir.join("acme.key")).unwrap().mode() & 0o777,
        0o600
    );

    let text = answer(
        dir,
        &[
            "passwd",
            "acme.key",
            "--password-file",
            "new",
            "--no-encryption",
        ],
    );
    assert!(text.contains("NOT encrypted"), "{text}");
    assert_eq!(answer(dir, &["pubkey", "acme.key"]), before);
}

#[test]
fn a_key_behind_a_link_is_refused_and_keeps_its_password() {
    let dir = workplace();
    let dir = dir.path();
    answer(dir, &["keygen", "acme.key", "--no-encryption"]);
    let plain = fs::read(dir.join("acme.key")).unwrap();
    std::os::unix::fs::symlink("acme.key", dir.join("link.key")).unwrap();
    fs::write(dir.join("new"), "another password\n").unwrap();
    fs::set_permissions(dir.join("new"), fs::Permissions::from_mode(0o600)).unwrap();
    let passwd = ["passwd", "link.key", "--new-password-file", "new"];
    assert_refused(dir, &passwd, "file.symlink", 3);
    let key = SecretKey::generate().unwrap();
    let refused = key.replace_file(&dir.join("link.key"), None).unwrap_err();
    assert_eq!(refused.code(), "file.symlink");
    assert_eq!(fs::read(dir.join("acme.key")).unwrap(), plain);
    assert!(dir.join("link.key").is_symlink());
}

#[test]
fn the_systems_sha256sum_checks_a_list_of_digests() {
    let dir = workplace();
    let dir = dir.path();
    answer(dir, &["keygen", "acme.key", "--no-encryption"]);
    answer(dir, &INIT);
    answer(dir, &["sign", "bundle", "--key", "acme.key"]);
    let list = answer(dir, &["digest", "bundle"]);
    for name in ["ampoule.dsse.json", "component.wasm", "onnx/weights.bin"] {
        assert!(list.contains(&format!("  {name}\n")), "{list}");
    }
    fs::write(dir.join("list"), &list).unwrap();
    let check = || {
        Command::new("sha256sum")
            .args(["--check", "--strict", "../list"])
            .current_dir(dir.join("bundle"))
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(check());
    let digests = json(dir, &["digest", "bundle"]);
    let component = digests["sha256"]["component.wasm"].as_str().unwrap();
    assert!(list.contains(component));
    fs::write(dir.join("bundle/component.wasm"), "another").unwrap();
    assert!(!check());
}

#[test]
fn a_publisher_packs_a_bundle_and_anybody_verifies_the_file() {
    let dir = workplace();
    let dir = dir.path();
    answer(dir, &["keygen", "acme.key", "--no-encryption"]);
    answer(dir, &INIT);
    assert_refused(
        dir,
        &["pack", "bundle", "minilm.ampoule"],
        "envelope.missing",
        3,
    );
    answer(dir, &["sign", "bundle", "--key", "acme.key"]);
    let packed = json(dir, &["pack", "bundle", "minilm.ampoule"]);
    assert_eq!(packed["verified"], false);
    assert_eq!(packed["name"], "minilm");
    assert_refused(dir, &["pack", "bundle", "minilm.ampoule"], "io.exists", 8);
    let verify = |bundle| answer(dir, &["verify", bundle, "--public-key", "acme.pub"]);
    assert_eq!(verify("minilm.ampoule"), verify("bundle"));
    assert_eq!(
        answer(dir, &["inspect", "minilm.ampoule"]),
        answer(dir, &["inspect", "bundle"])
    );
    answer(dir, &["unpack", "minilm.ampoule", "again"]);
    assert_eq!(verify("again"), verify("bundle"));
    assert_refused(dir, &["unpack", "minilm.ampoule", "again"], "io.exists", 8);
    assert_refused(dir, &["unpack", "acme.pub", "new"], "file.archive", 3);
}
