//! A directory of an operator's decisions: others may read most of it, and change nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use ampoule_signing::{DirectoryStamp, GuardedDirectory};
use tempfile::TempDir;

use crate::file_access::set_mode;

fn make(path: &Path) -> GuardedDirectory {
    GuardedDirectory::make(path, "the key directory").unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_guarded_directory_is_made_for_its_owner_and_its_files_are_as_readable_as_it_is() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("keys");
    assert!(GuardedDirectory::open(&path, "it").unwrap().is_none());
    let directory = make(&path);
    assert_eq!(mode(&path), 0o700);
    for (of_directory, of_file) in [(0o700, 0o600), (0o750, 0o640), (0o755, 0o644)] {
        set_mode(&path, of_directory);
        directory.replace("keys.toml", b"decisions").unwrap();
        directory.replace_private("mac-key", b"secret").unwrap();
        assert_eq!(mode(&path.join("keys.toml")), of_file);
        assert_eq!(mode(&path.join("mac-key")), 0o600);
    }
    let opened = GuardedDirectory::open(&path, "it").unwrap().unwrap();
    assert_eq!(opened.read("keys.toml", 9).unwrap().unwrap(), b"decisions");
    assert_eq!(opened.read("keys.toml", 8).unwrap_err().code(), "io.failed");
    assert!(opened.read("nothing", 9).unwrap().is_none());
}

#[test]
fn what_others_may_change_is_not_read_from_a_guarded_directory_and_shows_in_its_stamp() {
    let dir = TempDir::new().unwrap();
    let directory = make(dir.path());
    directory.replace("keys.toml", b"decisions").unwrap();
    let stamp = || DirectoryStamp::of_files(dir.path(), &["keys.toml"]);
    let before = stamp();
    assert_eq!(stamp(), before);
    directory.replace("another", b"text").unwrap();
    assert_eq!(stamp(), before, "another file is none of these");

    let file = dir.path().join("keys.toml");
    set_mode(&file, 0o620);
    let refused = directory.read("keys.toml", 9).unwrap_err();
    assert_eq!(refused.code(), "trust.permissions");
    assert_ne!(stamp(), before);
    set_mode(&file, 0o600);
    set_mode(dir.path(), 0o770);
    let refused = GuardedDirectory::open(dir.path(), "the key directory").unwrap_err();
    assert_eq!(refused.code(), "trust.permissions");
    assert!(refused.to_string().contains("the key directory"));
    assert_ne!(stamp(), before);
    set_mode(dir.path(), 0o700);

    fs::remove_file(&file).unwrap();
    symlink("another", &file).unwrap();
    assert_eq!(
        directory.read("keys.toml", 9).unwrap_err().code(),
        "file.symlink"
    );
    assert_ne!(stamp(), before);
}

#[test]
fn a_guarded_directory_is_locked_until_the_lock_is_dropped() {
    let dir = TempDir::new().unwrap();
    let directory = make(dir.path());
    let turn = directory.lock("keys.lock").unwrap();
    let another = fs::File::open(dir.path().join("keys.lock")).unwrap();
    assert!(matches!(
        another.try_lock(),
        Err(fs::TryLockError::WouldBlock)
    ));
    drop(turn);
    another.try_lock().unwrap();
}
