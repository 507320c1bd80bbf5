//! A directory for a program's own data: made for its owner alone, and reached by plain names.
//!
//! Owners and modes are tested together with all other files, in `file_hygiene.rs`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

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
    let refused = PrivateDirectory::make(&path, "the cache").unwrap_err();
    assert_eq!(refused.code(), "io.failed");
    let message = refused.to_string();
    assert!(
        message.contains("make the directory above the cache first"),
        "{message}"
    );
    assert!(!dir.path().join("above").exists());
    let directory = PrivateDirectory::make_all(&path, "the cache").unwrap();
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

    directory
        .put_durably("entry", |file| file.write_all(b"second"))
        .unwrap();
    let failed = directory.put_durably("entry", |file| {
        file.write_all(b"thi")?;
        Err(io::ErrorKind::StorageFull.into())
    });
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(fs::read(dir.path().join("entry")).unwrap(), b"second");
    assert_eq!(mode(&dir.path().join("entry")), 0o600);
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
fn a_locks_file_goes_with_the_lock_and_one_at_a_time_holds_it_all_the_same() {
    const TURNS: u32 = 50;
    let dir = TempDir::new().unwrap();
    let held = Mutex::new(());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let directory = make(dir.path());
                for _ in 0..TURNS {
                    let turn = directory.lock("entry.lock", PATIENCE, || true).unwrap();
                    let alone = held.try_lock().unwrap();
                    std::thread::yield_now();
                    drop(alone);
                    drop(turn.unwrap());
                }
            });
        }
    });
    assert!(make(dir.path()).names().unwrap().is_empty());

    // A process that was killed leaves its file, which keeps nobody waiting and goes with the next turn.
    fs::write(dir.path().join("entry.lock"), "").unwrap();
    let directory = make(dir.path());
    drop(
        directory
            .lock("entry.lock", Duration::ZERO, || true)
            .unwrap(),
    );
    assert!(directory.names().unwrap().is_empty());
}

#[test]
fn a_lock_leaves_alone_the_lock_of_who_came_after_its_file_was_removed() {
    let dir = TempDir::new().unwrap();
    let directory = make(dir.path());
    let first = directory.lock("entry.lock", PATIENCE, || true).unwrap();
    directory.remove("entry.lock").unwrap();
    let second = directory.lock("entry.lock", PATIENCE, || true).unwrap();
    drop(first.unwrap());
    let third = directory.lock("entry.lock", Duration::ZERO, || true);
    assert!(third.unwrap().is_none());
    drop(second.unwrap());
    assert!(directory.names().unwrap().is_empty());
}

#[test]
fn files_are_listed_with_their_sizes_and_times_and_links_are_not_followed() {
    let dir = TempDir::new().unwrap();
    let directory = make(dir.path());
    directory
        .put("entry", |file| file.write_all(b"code"))
        .unwrap();
    let (entry, _) = directory.open_file("entry").unwrap().unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    entry.set_modified(then).unwrap();
    symlink("entry", dir.path().join("link")).unwrap();
    let draft = "0f4e9d5c-51c2-4d7b-9a52-7b1a4a3f2c10";
    for name in [draft, "note"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    let files = directory.files().unwrap();
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, [draft, "entry", "link", "note"]);
    let drafts: Vec<_> = files.iter().map(|file| file.is_draft).collect();
    assert_eq!(drafts, [true, false, false, false]);
    assert_eq!((files[1].size.bytes(), files[1].modified), (4, then));
    assert!(files[2].modified > then);
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
