//! Withdrawal of trust: on the command line, and from a running host.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ampoule::{CodeCache, Host, Model, TrustStore};
use ampoule_signing::{
    RevocationList, Revoked, Root, SecretKey, SignedRevocations, SignedRoot, Timestamp,
    VerifiedRoot,
};
use ampoule_tests::{
    CacheDirectory, Desk, Publisher, WrittenBundle, assert_fails, block_on, succeeds,
};
use serde_json::json;

const EXPIRES: &str = "2099-01-01T00:00:00Z";

/// An operator's desk where acme is trusted, and a key that signs lists.
struct Duty {
    desk: Desk,
    acme: Publisher,
    key: SecretKey,
}

impl Duty {
    fn new() -> Self {
        let duty = Self {
            desk: Desk::new(),
            acme: Publisher::new("acme"),
            key: SecretKey::generate().unwrap(),
        };
        duty.desk.key_file("acme.pub", duty.acme.public_key());
        duty.desk.key_file("duty.pub", duty.key.public_key());
        succeeds(&duty.desk.trust(&["add", "--publisher", "acme", "acme.pub"]));
        let signers = [
            "revocations",
            "signers",
            "--name",
            "fleet",
            "--key",
            "duty.pub",
        ];
        succeeds(&duty.desk.trust(&signers));
        duty
    }

    fn trust(&self) -> std::path::PathBuf {
        self.desk.path("trust")
    }

    fn list(&self) -> RevocationList {
        RevocationList::new("fleet", EXPIRES.parse().unwrap()).unwrap()
    }

    fn sign(&self, list: &RevocationList) -> SignedRevocations {
        SignedRevocations::sign(list.to_json().unwrap().into_bytes(), &[&self.key]).unwrap()
    }

    /// Makes a host that follows the trust directory, and loads a model.
    fn running(&self) -> (Host, Model) {
        let host = Host::builder()
            .trust_directory(self.trust())
            .build()
            .unwrap();
        let bundle = self.acme.every_task().write();
        let model = block_on(host.load(bundle.path())).unwrap();
        ask(&model).unwrap();
        (host, model)
    }
}

/// Makes a cache with the code of a bundle in it: loading takes milliseconds then, and a signature that expires in
/// seconds has not expired before the model is loaded.
fn compiled(publisher: &Publisher, bundle: &WrittenBundle) -> CacheDirectory {
    let cache = CacheDirectory::new();
    let host = Host::builder()
        .trust(publisher.trust())
        .code_cache(CodeCache::in_directory(cache.path()))
        .build()
        .unwrap();
    block_on(host.load(bundle.path())).unwrap();
    cache
}

fn ask(model: &Model) -> ampoule::Result<()> {
    block_on(model.embed_text(&["x"])).map(drop)
}

fn code(result: ampoule::Result<()>) -> String {
    result.unwrap_err().code().to_owned()
}

#[test]
fn an_operator_obeys_lists_of_what_is_revoked() {
    let duty = Duty::new();
    let desk = &duty.desk;
    let bundle = duty.acme.every_task().write();
    let shown = succeeds(&desk.trust(&["revocations", "show"]));
    assert_eq!(shown["mode"], "permissive");
    assert_eq!(shown["authority"]["name"], "fleet");
    assert_eq!(shown["list"], json!(null));
    assert_eq!(desk.verdict(&bundle), "trusted");
    succeeds(&desk.trust(&["revocations", "signers", "--mode", "strict"]));
    assert_fails(&desk.embed(bundle.path()), "trust.revocations-missing", 3);

    let first = duty.list();
    let revoked = Revoked::Key(duty.acme.public_key().key_id());
    let second = (first.clone().next(EXPIRES.parse().unwrap()).unwrap())
        .with(revoked, Some("stolen".to_owned()))
        .unwrap();
    for (list, name) in [(&first, "1"), (&second, "2")] {
        duty.sign(list).write_file(&desk.path(name)).unwrap();
    }
    let shown = succeeds(&desk.trust(&["revocations", "update", "1"]));
    assert_eq!(
        (&shown["list"]["version"], &shown["is_expired"]),
        (&json!(1), &json!(false))
    );
    assert!(desk.embed(bundle.path()).status.success());
    let shown = succeeds(&desk.trust(&["revocations", "update", "2", "1"]));
    assert_eq!(shown["list"]["keys"][0]["reason"], "stolen");
    assert_fails(&desk.embed(bundle.path()), "trust.revoked", 3);
    let back = desk.trust(&["revocations", "update", "1"]);
    assert_fails(&back, "trust.revocations-rollback", 3);
    std::fs::write(desk.path("3"), "cut off").unwrap();
    let unread = desk.trust(&["revocations", "update", "3"]);
    assert_fails(&unread, "envelope.malformed", 3);
}

#[test]
fn a_running_host_refuses_new_requests_to_a_model_that_is_revoked() {
    let duty = Duty::new();
    let (host, model) = duty.running();
    for what in [
        Revoked::Key(duty.acme.public_key().key_id()),
        Revoked::Manifest(model.manifest_digest()),
    ] {
        let trust = |list: &RevocationList| {
            let mut trust = TrustStore::open(&duty.trust()).unwrap();
            trust.accept_revocations(&duty.sign(list)).unwrap();
            trust
        };
        host.replace_trust(trust(&duty.list().with(what, None).unwrap()));
        assert_eq!(code(ask(&model)), "trust.revoked");
        assert_eq!(code(ask(&model.clone())), "trust.revoked");
        host.replace_trust(trust(&duty.list()));
        ask(&model).unwrap();
    }
}

#[test]
fn a_host_reads_its_trust_again_when_it_is_told_to() {
    let duty = Duty::new();
    let (host, model) = duty.running();
    block_on(host.reload_trust()).unwrap();
    ask(&model).unwrap();
    remove_acme(&duty);
    block_on(host.reload_trust()).unwrap();
    assert_eq!(code(ask(&model)), "trust.unknown-key");
}

/// Revokes the publisher's key.
fn remove_acme(duty: &Duty) {
    let id = duty.acme.public_key().key_id();
    TrustStore::update(&duty.trust(), |trust| Ok(trust.remove(&id))).unwrap();
}

/// Waits until a request is answered as expected: a host looks at its directory every second.
fn within_seconds(model: &Model, expected: &str) {
    let started = Instant::now();
    loop {
        let found = ask(model).map_or_else(|error| error.code().to_owned(), |()| "ok".to_owned());
        if found == expected {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{found}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_running_host_follows_its_trust_directory() {
    let duty = Duty::new();
    let (_host, model) = duty.running();
    let revoked = duty
        .list()
        .with(Revoked::Manifest(model.manifest_digest()), None)
        .unwrap();
    let update = |list: &RevocationList| {
        let list = [Ok(duty.sign(list))];
        TrustStore::update_revocations(&duty.trust(), list, Timestamp::now()).unwrap();
    };
    update(&revoked);
    within_seconds(&model, "trust.revoked");
    update(&duty.list().next(EXPIRES.parse().unwrap()).unwrap());
    within_seconds(&model, "ok");
    // A refused directory trusts no key: it may have been changed to withdraw trust.
    let file = duty.trust().join("trust.toml");
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, "half a").unwrap();
    within_seconds(&model, "trust.malformed");
    std::fs::write(&file, good).unwrap();
    within_seconds(&model, "ok");
    remove_acme(&duty);
    within_seconds(&model, "trust.unknown-key");
}

#[test]
fn a_trust_directory_that_others_may_change_trusts_nobody_until_it_is_put_right() {
    let duty = Duty::new();
    let (_host, model) = duty.running();
    let trust = duty.trust();
    let above = trust.parent().unwrap();
    for (place, bits) in [
        (trust.as_path(), 0o002),
        (&trust, 0o020),
        (above, 0o002),
        (&trust.join("trust.toml"), 0o020),
    ] {
        let mode = std::fs::metadata(place).unwrap().permissions().mode();
        // No file is changed, nor written anew.
        set_mode(place, mode | bits);
        let began = Instant::now();
        within_seconds(&model, "trust.permissions");
        let noticed = began.elapsed();
        assert!(noticed < Duration::from_secs(10), "{noticed:?} of a second");
        set_mode(place, mode);
        within_seconds(&model, "ok");
    }
}

/// Changes the permissions of a file or a directory.
fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_loaded_model_that_asks_for_more_than_it_may_now_gets_no_request() {
    let duty = Duty::new();
    let (host, model) = duty.running();
    succeeds(&duty.desk.trust(&["caps", "--cap-memory", "1MiB"]));
    block_on(host.reload_trust()).unwrap();
    assert_eq!(code(ask(&model)), "admission.limit");
}

#[test]
fn a_loaded_model_is_refused_when_its_time_is_over() {
    let duty = Duty::new();
    let id = duty.acme.public_key().clone();
    let bundle = duty.acme.every_task().write();
    let cache = compiled(&duty.acme, &bundle);
    let soon = Timestamp::now() + Duration::from_secs(3);
    TrustStore::update(&duty.trust(), |trust| {
        let pattern = "acme/*".parse().unwrap();
        trust.edit(pattern, |delegation| {
            let until = ampoule_signing::Validity {
                not_after: Some(soon),
                ..Default::default()
            };
            Ok(delegation.with_key(id, until))
        })?;
        Ok(())
    })
    .unwrap();
    let host = Host::builder()
        .trust_directory(duty.trust())
        .code_cache(CodeCache::in_directory(cache.path()))
        .build()
        .unwrap();
    let model = block_on(host.load(bundle.path())).unwrap();
    within_seconds(&model, "trust.validity");
}

#[test]
fn a_loaded_model_is_refused_when_the_root_has_expired() {
    let (acme, ann) = (Publisher::new("acme"), SecretKey::generate().unwrap());
    let desk = Desk::new();
    let bundle = acme.every_task().write();
    let cache = compiled(&acme, &bundle);
    let soon = Timestamp::now() + Duration::from_secs(3);
    let root = Root::new(
        "fleet",
        [ann.public_key().clone()],
        1.try_into().unwrap(),
        soon,
    )
    .unwrap()
    .change_trust(|trust| trust.insert(acme.public_key().clone(), ["acme"]))
    .unwrap();
    let signed = SignedRoot::sign(root.to_json().unwrap().into_bytes(), &[&ann]).unwrap();
    VerifiedRoot::install(&desk.path("trust"), signed, Timestamp::now()).unwrap();
    let host = Host::builder()
        .trust_directory(desk.path("trust"))
        .code_cache(CodeCache::in_directory(cache.path()))
        .build()
        .unwrap();
    let model = block_on(host.load(bundle.path())).unwrap();
    ask(&model).unwrap();
    within_seconds(&model, "trust.root-expired");
}

#[test]
fn a_host_is_not_built_on_a_directory_that_trusts_nobody() {
    let desk = Desk::new();
    let build = |path: &Path| Host::builder().trust_directory(path).build().map(drop);
    assert_eq!(
        build(&desk.path("trust")).unwrap_err().code(),
        "trust.missing"
    );
}
