//! `ampoule-sign revocations`: the revocation drill, command by command.

use std::path::Path;

use ampoule_signing::{
    Sha256Digest, SignedRevocations, SignedRoot, Timestamp, TrustStore, VerifiedRoot,
};

use crate::command_line::{INIT, answer, assert_refused, json, workplace};

const EXPIRES: &str = "2099-01-01T00:00:00Z";

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Hosts that trust acme by a root, and whose lists the key `duty` signs.
fn installed_root(dir: &Path) {
    for key in ["ann.key", "duty.key", "deputy.key", "acme.key"] {
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
    ];
    answer(dir, &[&init[..], &["--expires", EXPIRES]].concat());
    answer(
        dir,
        &[
            "root",
            "delegate",
            "root.json",
            "acme/*",
            "--key",
            "acme.pub",
        ],
    );
    let role = [
        "root",
        "revocation",
        "root.json",
        "--key",
        "duty.pub",
        "--key",
        "deputy.pub",
    ];
    let made = json(
        dir,
        &[&role[..], &["--threshold", "2", "--mode", "strict"]].concat(),
    );
    assert_eq!(made["root"]["revocation"]["threshold"], 2);
    assert_eq!(made["root"]["revocation_mode"], "strict");
    answer(dir, &["root", "sign", "root.json", "--key", "ann.key"]);
    let root = SignedRoot::read_file(&dir.join("1.root.dsse.json")).unwrap();
    VerifiedRoot::install(&dir.join("trust"), root, Timestamp::now()).unwrap();
}

fn update(dir: &Path, list: &str) -> ampoule_signing::Result<()> {
    let list = SignedRevocations::read_file(&dir.join(list));
    TrustStore::update_revocations(&dir.join("trust"), [list], Timestamp::now()).map(drop)
}

#[test]
fn the_way_from_a_stolen_key_to_a_list_that_hosts_take() {
    let dir = workplace();
    let dir = dir.path();
    installed_root(dir);
    answer(dir, &INIT);
    answer(dir, &["sign", "bundle", "--key", "acme.key"]);
    let verdict = || {
        let trust = TrustStore::open(&dir.join("trust")).unwrap();
        let bundle = ampoule_signing::Bundle::open(&dir.join("bundle")).unwrap();
        let verified = bundle.verify(&trust, Timestamp::now());
        verified.map_or_else(|error| error.code(), |_| "trusted")
    };
    assert_eq!(verdict(), "trust.revocations-missing");

    let init = [
        "revocations",
        "init",
        "list.json",
        "--name",
        "fleet",
        "--expires",
        EXPIRES,
    ];
    let made = json(dir, &init);
    assert_eq!(made["revocations"]["version"], 1);
    assert_refused(dir, &init, "io.exists", 8);
    let next = ["revocations", "next", "list.json", "--expires", EXPIRES];
    assert_refused(dir, &next, "usage.arguments", 2);
    let sign = ["revocations", "sign", "list.json", "--key", "duty.key"];
    answer(dir, &sign);
    assert_refused(dir, &sign, "io.exists", 8);
    assert_eq!(
        update(dir, "1.revocations.dsse.json").unwrap_err().code(),
        "trust.threshold"
    );
    cosign(dir, "1.revocations.dsse.json");
    update(dir, "1.revocations.dsse.json").unwrap();
    assert_eq!(verdict(), "trusted");

    // The key was stolen: the next list takes it back, with a bundle and a component.
    answer(dir, &next);
    let key_id = text(&json(dir, &["pubkey", "acme.key"])["key_id"]);
    let manifest = text(&json(dir, &["inspect", "bundle"])["manifest_digest"]);
    let add = [
        "revocations",
        "add",
        "list.json",
        "--key-id",
        &key_id,
        "--manifest",
        &manifest,
    ];
    let component = format!("sha256:{}", "0".repeat(64));
    let more = ["--component", &component, "--reason", "stolen on a train"];
    let made = json(dir, &[&add[..], &more[..]].concat());
    assert_eq!(made["revocations"]["version"], 2);
    assert_eq!(made["revocations"]["keys"][0]["id"], key_id);
    assert_eq!(made["revocations"]["manifests"][0]["digest"], manifest);
    assert_eq!(
        made["revocations"]["components"][0]["reason"],
        "stolen on a train"
    );
    answer(dir, &sign);
    cosign(dir, "2.revocations.dsse.json");
    let shown = answer(dir, &["revocations", "inspect", "2.revocations.dsse.json"]);
    assert!(
        shown.starts_with("NOT VERIFIED") && shown.contains("stolen on a train"),
        "{shown}"
    );
    update(dir, "2.revocations.dsse.json").unwrap();
    assert_eq!(verdict(), "trust.revoked");
    assert_eq!(
        update(dir, "1.revocations.dsse.json").unwrap_err().code(),
        "trust.revocations-rollback"
    );

    let remove = ["revocations", "remove", "list.json", "--key-id", &key_id];
    answer(dir, &remove);
    assert_refused(dir, &remove, "trust.malformed", 3);
    let nothing = ["revocations", "add", "list.json"];
    assert_refused(dir, &nothing, "usage.arguments", 2);
}

/// Adds the deputy's signature.
fn cosign(dir: &Path, list: &str) {
    let inspect = json(dir, &["revocations", "inspect", list]);
    let digest = format!("sha256:{}", text(&inspect["revocations_digest"]));
    let cosign = [
        "revocations",
        "cosign",
        list,
        "--key",
        "deputy.key",
        "--digest",
        &digest,
    ];
    answer(dir, &cosign);
    assert_refused(dir, &cosign, "usage.signed", 2);
    let other = Sha256Digest::of(b"another").to_string();
    let cosign = [
        "revocations",
        "cosign",
        list,
        "--key",
        "ann.key",
        "--digest",
        &other,
    ];
    assert_refused(dir, &cosign, "trust.digest", 3);
}
