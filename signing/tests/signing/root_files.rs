//! Drafts and signed roots in files: who may change them, and several people at once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ampoule_signing::{Error, Root, SecretKey, SignedRoot};

use crate::fixture::snapshot;
use crate::root::{Fleet, sign};

#[test]
fn a_root_in_a_directory_that_everybody_can_change_is_refused() {
    let fleet = Fleet::new();
    let dir = tempfile::tempdir().unwrap();
    let (draft, signed) = (
        dir.path().join("root.json"),
        dir.path().join("root.dsse.json"),
    );
    fleet.first.write_file(&draft).unwrap();
    sign(&fleet.first, &[&fleet.ann])
        .write_file(&signed)
        .unwrap();
    Root::read_file(&draft).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let before = snapshot(dir.path());
    let codes = [
        Root::read_file(&draft).map(drop),
        Root::update_file(&draft, Ok).map(drop),
        SignedRoot::read_file(&signed).map(drop),
        SignedRoot::cosign_file(&signed, &fleet.bob, |_, _| Ok(())).map(drop),
    ]
    .map(|result| result.unwrap_err().code());
    assert_eq!(codes, ["trust.permissions"; 4]);
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn cosigners_at_once_lose_no_signature() {
    let keys: Vec<SecretKey> = (0..8).map(|_| SecretKey::generate().unwrap()).collect();
    let publics = keys.iter().map(|key| key.public_key().clone());
    let root = Fleet::root_of(publics);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.dsse.json");
    sign(&root, &[]).write_file(&path).unwrap();
    std::thread::scope(|scope| {
        for key in &keys {
            let path = &path;
            scope.spawn(move || SignedRoot::cosign_file(path, key, |_, _| Ok(())).unwrap());
        }
    });
    let signed = SignedRoot::read_file(&path).unwrap();
    assert_eq!(signed.envelope().signatures().len(), keys.len());
}

#[test]
fn a_signature_that_came_during_the_review_stays_and_a_change_stops_it() {
    let fleet = Fleet::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.dsse.json");
    sign(&fleet.first, &[]).write_file(&path).unwrap();
    let cosign = |key: &SecretKey, path: &Path| SignedRoot::cosign_file(path, key, |_, _| Ok(()));
    let (signed, _) = SignedRoot::cosign_file(&path, &fleet.ann, |_, root| {
        assert_eq!(root.version(), 1);
        cosign(&fleet.bob, &path).map(drop)
    })
    .unwrap();
    assert_eq!(signed.envelope().signatures().len(), 2);
    let error = SignedRoot::cosign_file(&path, &fleet.ann, |_, _| {
        fs::remove_file(&path).unwrap();
        sign(&fleet.next(), &[]).write_file(&path)
    })
    .unwrap_err();
    assert!(matches!(error, Error::UsageChanged { .. }), "{error}");
    let signed = SignedRoot::read_file(&path).unwrap();
    assert_eq!(signed.envelope().signatures().len(), 0);
}

#[test]
fn changes_of_a_draft_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let draft = dir.path().join("root.json");
    Fleet::new().first.write_file(&draft).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let draft = &draft;
            scope.spawn(move || {
                let key = SecretKey::generate().unwrap();
                Root::update_file(draft, |root| root.with_key(key.public_key().clone())).unwrap();
            });
        }
    });
    let (_, root) = Root::read_file(&draft).unwrap();
    assert_eq!(root.keys().count(), 3 + 8);
}
