//! Making, replacing, revoking and removing keys.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use ampoule_access::{KeyDirectory, Reason};
use ampoule_signing::PermissionPolicy;

use crate::desk::{Desk, now, settings};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_is_in_no_file_and_in_no_debug_text() {
    let desk = Desk::new();
    let new = desk.add("acme");
    let text = new.text.reveal();
    let secret = text.rsplit('_').next().unwrap();
    assert_eq!(secret.len(), 64);
    let mut files = 0;
    for entry in fs::read_dir(desk.path()).unwrap() {
        let content = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!content.contains(secret));
        assert!(!content.contains(&secret[..16]));
        files += 1;
    }
    assert_eq!(files, 3, "keys.toml, mac-key, keys.lock");
    let shown = format!("{new:?} {:?}", desk.directory().list().unwrap());
    assert!(shown.contains(&new.record.name.to_string()));
    assert!(!shown.contains(&secret[..8]), "{shown}");
    assert!(!shown.contains("hmac-sha256:"), "{shown}");
}

#[test]
fn a_key_directory_is_made_for_its_owner_and_opened_to_readers_without_the_mac_key() {
    let desk = Desk::new();
    desk.add("acme");
    assert_eq!(mode(&desk.path()), 0o700);
    assert_eq!(mode(&desk.file("keys.toml")), 0o600);
    assert_eq!(mode(&desk.file("mac-key")), 0o600);
    set_mode(&desk.path(), 0o755);
    desk.add("acme");
    assert_eq!(mode(&desk.file("keys.toml")), 0o644);
    assert_eq!(mode(&desk.file("mac-key")), 0o600);
}

#[test]
fn keys_that_are_made_at_once_are_all_kept() {
    let desk = Desk::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..8 {
                    desk.add("acme");
                }
            });
        }
    });
    assert_eq!(desk.directory().list().unwrap().len(), 32);
}

#[test]
fn a_key_that_takes_anothers_place_has_its_settings_and_lives_as_long() {
    let desk = Desk::new();
    let (directory, made) = (desk.directory(), now());
    let mut wanted = settings("acme");
    wanted.scope.models = Some(vec!["minilm".parse().unwrap()]);
    wanted.not_after = Some(made + 90 * DAY);
    let old = directory.add(wanted, made).unwrap().record.name;

    let later = made + 80 * DAY;
    let new = directory.rotate(old, DAY, later).unwrap().record;
    assert_eq!(new.replaces, Some(old));
    assert_eq!(new.settings.not_after, Some(later + 90 * DAY));
    assert!(new.settings.scope.has_model("minilm") && !new.settings.scope.has_model("other"));
    let find = |name| {
        let keys = directory.list().unwrap();
        keys.into_iter().find(|key| key.name == name).unwrap()
    };
    assert_eq!(find(old).ended(later + DAY / 2), None);
    assert_eq!(find(old).ended(later + DAY), Some(Reason::Expired));

    // A grace does not make a life longer.
    let third = directory.rotate(new.name, 365 * DAY, later).unwrap().record;
    assert_eq!(find(new.name).settings.not_after, Some(later + 90 * DAY));
    // Without a grace the key ends now.
    directory.rotate(third.name, Duration::ZERO, later).unwrap();
    assert_eq!(find(third.name).ended(later), Some(Reason::Revoked));
    for ended in [third.name, old] {
        let refused = directory.rotate(ended, DAY, later + 2 * DAY).unwrap_err();
        assert_eq!(refused.code(), "usage.ended-key");
    }
}

#[test]
fn all_keys_that_are_named_are_revoked_or_none() {
    let desk = Desk::new();
    let directory = desk.directory();
    let (one, two) = (desk.add("acme").record.name, desk.add("acme").record.name);
    let other = desk.add("other").record.name;
    let unknown = "0000000000000000".parse().unwrap();
    let refused = directory.revoke(&[one, unknown], now()).unwrap_err();
    assert_eq!(refused.code(), "usage.no-such-api-key");
    assert!(
        directory
            .list()
            .unwrap()
            .iter()
            .all(|key| key.revoked.is_none())
    );

    let first = directory.revoke(&[one], now()).unwrap();
    let again = directory.revoke(&[one], now() + DAY).unwrap();
    assert_eq!(again[0].revoked, first[0].revoked);
    let rest = directory
        .revoke_tenant(&"acme".parse().unwrap(), now())
        .unwrap();
    assert_eq!(rest.iter().map(|key| key.name).collect::<Vec<_>>(), [two]);
    let keys = directory.list().unwrap();
    let live = keys.iter().filter(|key| key.ended(now()).is_none());
    assert_eq!(live.map(|key| key.name).collect::<Vec<_>>(), [other]);
}

#[test]
fn keys_are_removed_a_month_after_their_end_and_no_others() {
    let desk = Desk::new();
    let (directory, made) = (desk.directory(), now());
    let endless = desk.add("acme").record.name;
    let revoked = desk.add("acme").record.name;
    let mut short = settings("acme");
    short.not_after = Some(made + DAY);
    let expired = directory.add(short, made).unwrap().record.name;
    directory.revoke(&[revoked], made).unwrap();

    assert!(directory.prune(made + 30 * DAY).unwrap().is_empty());
    assert_eq!(directory.prune(made + 31 * DAY).unwrap(), [revoked]);
    assert_eq!(directory.prune(made + 32 * DAY).unwrap(), [expired]);
    assert!(directory.prune(made + 9_000 * DAY).unwrap().is_empty());
    assert_eq!(directory.list().unwrap()[0].name, endless);
}

#[test]
fn a_mistyped_path_becomes_no_directory_by_a_command_that_needs_keys() {
    let desk = Desk::new();
    let directory = desk.directory();
    let name = "0000000000000000".parse().unwrap();
    for code in [
        directory.list().unwrap_err().code(),
        directory.revoke(&[name], now()).unwrap_err().code(),
        directory.rotate(name, DAY, now()).unwrap_err().code(),
        directory.prune(now()).unwrap_err().code(),
    ] {
        assert_eq!(code, "key.missing");
    }
    assert!(!desk.path().exists());
}

#[test]
fn no_mac_key_is_made_in_place_of_the_one_that_other_keys_need() {
    let desk = Desk::new();
    let old = desk.add("acme").record.name;
    let directory = desk.directory();
    let mac = fs::read(desk.file("mac-key")).unwrap();
    let add = || directory.add(settings("acme"), now()).map(|_| ());
    let code = |result: Result<(), ampoule_access::Error>| result.unwrap_err().code();

    fs::remove_file(desk.file("mac-key")).unwrap();
    assert_eq!(code(add()), "key.mac-key");
    assert_eq!(
        code(directory.rotate(old, DAY, now()).map(|_| ())),
        "key.mac-key"
    );
    assert!(!desk.file("mac-key").exists());
    let another = Desk::new();
    another.add("acme");
    fs::copy(another.file("mac-key"), desk.file("mac-key")).unwrap();
    assert_eq!(code(add()), "key.mac-key");
    fs::write(desk.file("mac-key"), &mac[1..]).unwrap();
    assert_eq!(code(add()), "key.mac-key");
    fs::write(desk.file("mac-key"), &mac).unwrap();
    add().unwrap();
    // Without the MAC key a key can still be revoked.
    fs::remove_file(desk.file("mac-key")).unwrap();
    directory.revoke(&[old], now()).unwrap();
}

#[test]
fn keys_that_others_could_have_changed_are_refused_unless_that_is_asked_for() {
    let desk = Desk::new();
    desk.add("acme");
    let directory = desk.directory();
    for (name, bad, good) in [("keys.toml", 0o620, 0o600), (".", 0o770, 0o700)] {
        let path = desk.file(name);
        set_mode(&path, bad);
        for refused in [
            directory.list().map(|_| ()),
            directory.add(settings("acme"), now()).map(|_| ()),
        ] {
            assert_eq!(refused.unwrap_err().code(), "trust.permissions", "{name}");
        }
        let insecure = PermissionPolicy::insecure(|_| {});
        KeyDirectory::new(desk.path(), insecure).list().unwrap();
        set_mode(&path, good);
    }
    set_mode(&desk.file("mac-key"), 0o640);
    let refused = directory.add(settings("acme"), now()).unwrap_err();
    assert_eq!(refused.code(), "trust.permissions");
}

#[test]
fn settings_that_contradict_each_other_are_refused_before_anything_is_written() {
    let desk = Desk::new();
    desk.add("acme");
    let before = fs::read(desk.file("keys.toml")).unwrap();
    let mut burst = settings("acme");
    burst.rates.burst = std::num::NonZeroU32::new(3);
    let mut note = settings("acme");
    note.note = Some("two\nlines".to_owned());
    for wrong in [burst, note] {
        let refused = desk.directory().add(wrong, now()).unwrap_err();
        assert_eq!(refused.code(), "usage.key-settings");
    }
    assert_eq!(fs::read(desk.file("keys.toml")).unwrap(), before);
}
