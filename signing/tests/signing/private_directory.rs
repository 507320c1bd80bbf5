//! A directory for a program's own data: made for its owner alone, and reached by plain names.
//!
//! Owners and modes are tested together with all other files, in `file_hygiene.rs`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use ampoule_signing::{Error, PermissionPolicy, PrivateDirectory};
use tempfile::TempDir;

use crate::file_access::set_mode;

/// Nobody else holds these locks.
const PATIENCE: Duration = Duration::from_secs(60);

fn make(path: &Path) -> PrivateDirectory {
    PrivateDirectory::make(path, "the cache").unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn refusal(directory: &PrivateDirectory, name: &str) -> &'static str {
    directory.open_file(name).map(drop).unwrap_err().code()
}

#[test]
fn what_is_made_in_a_private_directory_is_for_its_owner_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("above/cache");
    let directory = make(&path);
    directory
        .put("entry", |file| file.write_all(b"code"))
        .unwrap();
    let lock = directory.lock("entry.lock", PATIENCE, || true).unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&dir.path().join("above")), 0o700);
    for name in ["entry", "entry.lock"] {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
    }
    drop(lock);

    // What was there before is not changed: it is refused where others may use it.
    set_mode(&path.join("entry"), 0o640);
    assert_eq!(refusal(&directory, "entry"), "trust.permissions");
    assert_eq!(mode(&path.join("entry")), 0o640);
    // To read the directory of what is private is harmless, to add to it is not.
    set_mode(&path, 0o755);
    make(&path);
    set_mode(&path, 0o775);
    let refused = PrivateDirectory::make(&path, "the cache").unwrap_err();
    assert_eq!(refused.code(), "trust.permissions");
    assert!(refused.to_string().contains("the cache"), "{refused}");
    assert!(!refused.to_string().contains("/tmp/"), "{refused}");
    let taken = PermissionPolicy::insecure(|_| {});
    PrivateDirectory::make(taken.at(&path), "the cache").unwrap();
}

#[test]
fn a_file_is_put_whole_or_not_at_all() {
    let dir = TempDir::new().unwrap();
    let directory = make(dir.path());
    assert!(directory.open_file("entry").unwrap().is_none());
    directory
        .put("entry", |file| file.write_all(b"first"))
        .unwrap();
    let failed = directory.put("entry", |file| {
        file.write_all(b"sec")?;
        Err(io::ErrorKind::StorageFull.into())
    });
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
    let (mut file, length) = directory.open_file("entry").unwrap().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), length), ("first", 5));
    assert_eq!(directory.names().unwrap(), ["entry"]);

    directory.remove("entry").unwrap();
    directory.remove("entry").unwrap();
    assert!(directory.open_file("entry").unwrap().is_none());
}

#[test]
fn a_link_in_a_private_directory_is_listed_replaced_and_removed_and_never_followed() {
    let dir = TempDir::new().unwrap();
    let outside = dir.path().join("outside");
    fs::write(&outside, "theirs").unwrap();
    set_mode(&outside, 0o600);
    let path = dir.path().join("cache");
    let directory = make(&path);
    let link = |name: &str| symlink(&outside, path.join(name)).unwrap();

    for name in ["entry", "another", "entry.lock"] {
        link(name);
    }
    fs::create_dir(path.join("below")).unwrap();
    fs::write(path.join("below/entry"), "not ours").unwrap();
    assert_eq!(refusal(&directory, "entry"), "file.symlink");
    assert_eq!(refusal(&directory, "below"), "file.type");
    assert!(directory.lock("entry.lock", PATIENCE, || true).is_err());
    assert_eq!(
        directory.names().unwrap(),
        ["another", "entry", "entry.lock"]
    );

    directory
        .put("entry", |file| file.write_all(b"ours"))
        .unwrap();
    directory.remove("another").unwrap();
    assert!(fs::symlink_metadata(path.join("entry")).unwrap().is_file());
    assert_eq!(fs::read(&outside).unwrap(), b"theirs");

    // Names are plain: none leads out.
    assert!(directory.open_file("../outside").is_err());
    assert!(directory.put("../outside", |_| Ok(())).is_err());
    assert!(directory.remove("../outside").is_err());
    assert_eq!(fs::read(&outside).unwrap(), b"theirs");
}

#[test]
fn a_directory_that_was_swapped_afterwards_is_not_looked_into() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("cache");
    let directory = make(&path);
    directory
        .put("entry", |file| file.write_all(b"ours"))
        .unwrap();
    fs::rename(&path, dir.path().join("moved")).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("entry"), "theirs!").unwrap();
    let (_, length) = directory.open_file("entry").unwrap().unwrap();
    assert_eq!(length, 4);
}

#[test]
fn a_lock_keeps_others_waiting_until_it_is_dropped() {
    let dir = TempDir::new().unwrap();
    let directory = make(dir.path());
    let turn = directory.lock("entry.lock", PATIENCE, || true).unwrap();
    assert!(turn.is_some());
    let another = fs::File::open(dir.path().join("entry.lock")).unwrap();
    assert!(matches!(
        another.try_lock(),
        Err(fs::TryLockError::WouldBlock)
    ));
    drop(turn);
    another.try_lock().unwrap();
}

#[test]
fn what_is_no_directory_is_an_error_of_the_system() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    for path in [&file, &file.join("cache")] {
        let refused = PrivateDirectory::make(path, "the cache").unwrap_err();
        assert!(matches!(refused, Error::Io { .. }), "{refused}");
    }
}
