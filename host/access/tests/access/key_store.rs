//! Keys that a running server accepts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ampoule_access::{
    KeyChanges, KeyName, KeyStore, KeyText, MacKeySource, Permission, PrincipalKind, Reason,
};

use crate::desk::{Desk, now, settings, wait_until};

fn open(desk: &Desk) -> KeyStore {
    KeyStore::open(desk.directory(), MacKeySource::Directory).unwrap()
}

fn refusal(store: &KeyStore, key: &KeyText) -> Option<Reason> {
    store.check(key, now()).err().map(|denial| denial.reason)
}

/// Returns the key with one digit changed.
fn altered(key: &KeyText, place: usize) -> KeyText {
    let mut text = key.reveal().as_bytes().to_vec();
    text[place] = if text[place] == b'0' { b'1' } else { b'0' };
    KeyText::parse(&text).unwrap()
}

#[test]
fn a_key_is_accepted_whole_and_refused_with_any_digit_changed() {
    let desk = Desk::new();
    let key = desk.add("acme");
    let store = open(&desk);
    let principal = store.check(&key.text, now()).unwrap();
    assert_eq!(principal.kind(), PrincipalKind::Key(key.record.name));
    assert_eq!(principal.tenant().unwrap().to_string(), "acme");
    assert!(principal.may(Permission::Infer) && !principal.may(Permission::Metrics));
    for place in 4..20 {
        let other = altered(&key.text, place);
        assert_eq!(refusal(&store, &other), Some(Reason::Unknown), "{place}");
    }
    for place in 21..85 {
        let other = altered(&key.text, place);
        assert_eq!(refusal(&store, &other), Some(Reason::Secret), "{place}");
    }
}

/// One tenant's key under another's name would be the other.
#[test]
fn a_hash_counts_for_its_own_name_only() {
    let desk = Desk::new();
    let (thief, victim) = (desk.add("thief"), desk.add("victim"));
    let file = fs::read_to_string(desk.file("keys.toml")).unwrap();
    let hashes: Vec<_> = file
        .lines()
        .filter(|line| line.starts_with("hash"))
        .collect();
    let swapped = file.replace(hashes[1], hashes[0]);
    fs::write(desk.file("keys.toml"), swapped).unwrap();
    let store = open(&desk);
    let text = thief.text.reveal();
    let (_, secret) = text.rsplit_once('_').unwrap();
    let forged = format!("amp_{}_{secret}", victim.record.name);
    let forged = KeyText::parse(forged.as_bytes()).unwrap();
    assert_eq!(refusal(&store, &forged), Some(Reason::Secret));
}

#[test]
fn the_reason_of_an_ended_key_is_learned_only_with_its_secret() {
    let desk = Desk::new();
    let (revoked, expired) = (desk.add("acme"), {
        let mut short = settings("acme");
        short.not_after = Some(now() - Duration::from_secs(1));
        desk.directory().add(short, now()).unwrap()
    });
    desk.directory()
        .revoke(&[revoked.record.name], now())
        .unwrap();
    let store = open(&desk);
    for (key, reason) in [(revoked, Reason::Revoked), (expired, Reason::Expired)] {
        assert_eq!(refusal(&store, &key.text), Some(reason));
        let wrong = altered(&key.text, 80);
        assert_eq!(refusal(&store, &wrong), Some(Reason::Secret));
        let certified = store.certified(key.record.name, now()).unwrap_err();
        assert_eq!(certified.reason, reason);
    }
    assert_eq!(store.live(now()), 0);
}

#[test]
fn a_certificate_stands_for_a_live_key_and_shares_its_limits() {
    let desk = Desk::new();
    let key = desk.add("acme");
    let store = open(&desk);
    let certified = store.certified(key.record.name, now()).unwrap();
    assert_eq!(
        certified.kind(),
        PrincipalKind::Certificate(key.record.name)
    );
    let by_key = store.check(&key.text, now()).unwrap();
    assert_eq!(certified.limit_id(), by_key.limit_id());
    let unknown = "0000000000000000".parse().unwrap();
    let refused = store.certified(unknown, now()).unwrap_err();
    assert_eq!(refused.reason, Reason::Unknown);
}

#[test]
fn keys_are_accepted_and_refused_as_they_come_and_go_without_a_restart() {
    let desk = Desk::new();
    let first = desk.add("acme");
    let store = open(&desk);
    let told: Arc<Mutex<Vec<KeyChanges>>> = Arc::default();
    let tell = Arc::clone(&told);
    store.on_change(move |changes| tell.lock().unwrap().push(changes.clone()));

    let second = desk.add("acme");
    let revoked = [first.record.name];
    desk.directory().revoke(&revoked, now()).unwrap();
    wait_until("a revoked key", || {
        refusal(&store, &first.text) == Some(Reason::Revoked)
    });
    assert_eq!(refusal(&store, &second.text), None);
    // The new key may be seen by a look of its own.
    let all = |part: fn(&KeyChanges) -> &Vec<KeyName>| {
        let told = told.lock().unwrap();
        told.iter().flat_map(part).copied().collect::<Vec<_>>()
    };
    wait_until("the callback", || !all(|told| &told.ended).is_empty());
    assert_eq!(all(|told| &told.ended), revoked);
    assert_eq!(all(|told| &told.begun), [second.record.name]);
    assert!(store.fault().is_none());
}

#[test]
fn a_server_that_may_not_read_the_mac_key_has_it_handed_over() {
    let desk = Desk::new();
    let key = desk.add("acme");
    let given = fs::read_to_string(desk.file("mac-key")).unwrap();
    // As another user sees root's files: the keys can be read, and the MAC key cannot.
    for (name, mode) in [(".", 0o755), ("keys.toml", 0o644)] {
        fs::set_permissions(desk.file(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::remove_file(desk.file("mac-key")).unwrap();
    let refused = KeyStore::open(desk.directory(), MacKeySource::Directory).unwrap_err();
    assert_eq!(refused.code(), "io.failed");
    let open = |text: &str| {
        let mac = text.parse().unwrap();
        KeyStore::open(desk.directory(), MacKeySource::Given(mac))
    };
    let store = open(&given).unwrap();
    assert_eq!(refusal(&store, &key.text), None);
    let another = open(&"ab".repeat(32)).unwrap_err();
    assert_eq!(another.code(), "key.mac-key");
}
