//! Entries in files, which whoever has the disk may change.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use ampoule_answers::{Answers, Bounds, MAX_ANSWER_BYTES, MasterKey};
use tempfile::TempDir;

use crate::{find, keep};

/// Text of a key file.
pub(crate) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Makes a directory for its owner alone.
pub(crate) fn private_directory() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("answers");
    fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
    (parent, path)
}

/// Lists the files of entries.
pub(crate) fn files_in(path: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|file| !file.ends_with("lock")).collect();
    files.sort();
    files
}

fn open(path: &Path, key: Option<&str>) -> Answers {
    let key = key.map(|key| key.parse::<MasterKey>().unwrap());
    Answers::in_directory(Bounds::default(), path, key).unwrap()
}

fn the_file(path: &Path) -> PathBuf {
    let [file] = <[PathBuf; 1]>::try_from(files_in(path)).unwrap();
    file
}

#[test]
fn a_file_with_any_byte_flipped_or_cut_is_a_miss_that_is_counted_and_removed() {
    let (_parent, path) = private_directory();
    let answers = open(&path, None);
    let acme = answers.of_tenant("acme").unwrap();
    assert!(keep(&acme, "text", b"answer"));
    let file = the_file(&path);
    let good = fs::read(&file).unwrap();
    let flipped = (0..good.len()).map(|at| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    });
    let cut = (0..good.len()).map(|end| good[..end].to_vec());
    let longer = [&good[..], &[0]].concat();
    let mut changes = 0;
    for changed in flipped.chain(cut).chain([longer]) {
        fs::write(&file, &changed).unwrap();
        assert!(find(&acme, "text").is_none(), "change {changes}");
        changes += 1;
        assert_eq!(answers.counts().unreadable, changes);
        assert!(files_in(&path).is_empty());
        assert!(find(&acme, "text").is_none(), "a plain miss from now on");
        assert!(keep(&acme, "text", b"answer"));
        assert_eq!(find(&acme, "text").unwrap(), b"answer");
    }
    assert_eq!(answers.counts().unreadable, changes);
}

#[test]
fn files_in_each_others_places_are_misses_within_a_tenant_and_between_two() {
    let (_parent, path) = private_directory();
    let answers = open(&path, Some(KEY));
    let (acme, other) = (
        answers.of_tenant("acme").unwrap(),
        answers.of_tenant("other").unwrap(),
    );
    for swapped in [[&acme, &acme], [&acme, &other]] {
        let [first, second] = swapped;
        assert!(keep(first, "one", b"answer"));
        let one = the_file(&path);
        assert!(keep(second, "two", b"another"));
        let two = files_in(&path)
            .into_iter()
            .find(|file| *file != one)
            .unwrap();
        let (one_bytes, two_bytes) = (fs::read(&one).unwrap(), fs::read(&two).unwrap());
        fs::write(&one, two_bytes).unwrap();
        fs::write(&two, one_bytes).unwrap();
        let before = answers.counts().unreadable;
        assert!(find(first, "one").is_none() && find(second, "two").is_none());
        assert_eq!(answers.counts().unreadable, before + 2);
    }
}

#[test]
fn what_is_no_file_of_an_entry_is_neither_followed_nor_read_whole() {
    let (parent, path) = private_directory();
    let answers = open(&path, None);
    let acme = answers.of_tenant("acme").unwrap();
    let replace: [fn(&Path, &Path); 5] = [
        |file, _| fs::remove_file(file).unwrap(),
        |file, outside| {
            fs::rename(file, outside).unwrap();
            symlink(outside, file).unwrap();
        },
        |file, _| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        },
        |file, _| {
            let file = fs::OpenOptions::new().write(true).open(file).unwrap();
            file.set_len(1 << 40).unwrap();
        },
        |file, _| fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap(),
    ];
    for (index, replace) in replace.iter().enumerate() {
        let text = index.to_string();
        assert!(keep(&acme, &text, b"answer"));
        let files = files_in(&path);
        let file = files.iter().find(|file| file.is_file()).unwrap();
        replace(file, &parent.path().join("outside"));
        assert!(find(&acme, &text).is_none(), "case {index}");
        assert_eq!(
            answers.counts().unreadable,
            index as u64 + 1,
            "case {index}"
        );
    }
    assert!(parent.path().join("outside").exists());
}

#[test]
fn entries_of_sessions_are_gone_at_the_next_start_and_other_files_stay() {
    let (_parent, path) = private_directory();
    let answers = open(&path, None);
    assert!(keep(&answers.of_tenant("acme").unwrap(), "text", b"answer"));
    fs::write(path.join("of the operator's"), "x").unwrap();
    drop(answers);
    let again = open(&path, None);
    assert_eq!(files_in(&path), [path.join("of the operator's")]);
    assert!(find(&again.of_tenant("acme").unwrap(), "text").is_none());
}

#[test]
fn entries_of_a_key_file_are_there_again_for_the_same_key_only() {
    let (_parent, path) = private_directory();
    let keep_one = |answers: Answers| {
        let acme = answers.of_tenant("acme").unwrap();
        keep(&acme, "text", b"answer")
    };
    assert!(keep_one(open(&path, Some(KEY))));
    let again = open(&path, Some(KEY));
    let before = again.counts();
    assert_eq!((before.entries, before.tenants), (1, 1));
    let acme = again.of_tenant("acme").unwrap();
    assert_eq!(find(&acme, "text").unwrap(), b"answer");
    assert_eq!(again.counts().tenants, 1, "the tenant's shelf was found");
    drop((acme, again));
    let other = open(&path, Some(&KEY.replace('0', "f")));
    assert!(find(&other.of_tenant("acme").unwrap(), "text").is_none());
    assert_eq!(
        other.counts().unreadable,
        0,
        "another key has other names of files"
    );
}

#[test]
fn hostile_files_at_a_start_are_removed_and_count_for_nothing() {
    let (_parent, path) = private_directory();
    assert!(keep(
        &open(&path, Some(KEY)).of_tenant("acme").unwrap(),
        "text",
        b"answer"
    ));
    let good = the_file(&path);
    let bytes = fs::read(&good).unwrap();
    let name = good.file_name().unwrap().to_str().unwrap();
    let named = |last: &str| path.join(format!("{}{last}", &name[..name.len() - 1]));
    let (old, later, short, large) = (named("0"), named("1"), named("2"), named("3"));
    let mut changed = bytes.clone();
    changed[1..9].fill(0);
    fs::write(&old, &changed).unwrap();
    changed[1..9].fill(0xff);
    fs::write(&later, &changed).unwrap();
    fs::write(&short, &bytes[..20]).unwrap();
    fs::write(&large, vec![1; MAX_ANSWER_BYTES + 1_000]).unwrap();
    let all = [&old, &later, &short, &large];
    for file in all {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let hostile = all.iter().filter(|file| ***file != good).count();
    assert!(hostile >= 3);
    let again = open(&path, Some(KEY));
    for file in all {
        assert!(!file.exists() || *file == good, "{file:?}");
    }
    let left = again.counts().entries;
    assert!(left <= 1 && files_in(&path).len() as u64 == left);
}

#[test]
fn a_start_with_lower_bounds_keeps_the_newest_entries() {
    let (_parent, path) = private_directory();
    let answers = open(&path, Some(KEY));
    let acme = answers.of_tenant("acme").unwrap();
    for index in 0..20 {
        assert!(keep(&acme, &index.to_string(), &[1; 200_000]));
    }
    drop((acme, answers));
    let bounds = Bounds {
        tenant_bytes: ampoule_signing::ByteSize::from_mib(1),
        ..Bounds::default()
    };
    let again = Answers::in_directory(bounds, &path, Some(KEY.parse().unwrap())).unwrap();
    let counts = again.counts();
    assert_eq!((counts.entries, files_in(&path).len()), (5, 5));
    let acme = again.of_tenant("acme").unwrap();
    assert!(find(&acme, "19").is_some() && find(&acme, "0").is_none());
}

#[test]
fn a_directory_that_others_may_change_and_a_key_that_others_may_read_are_refused() {
    let (parent, path) = private_directory();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o770)).unwrap();
    let refused = Answers::in_directory(Bounds::default(), &path, None).unwrap_err();
    assert_eq!(refused.code(), "trust.permissions");
    let key = parent.path().join("key");
    fs::write(&key, format!("{KEY}\n")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    MasterKey::read(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        MasterKey::read(&key).unwrap_err().code(),
        "trust.permissions"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "x".repeat(1 << 20)).unwrap();
    MasterKey::read(&key).unwrap_err();
}
