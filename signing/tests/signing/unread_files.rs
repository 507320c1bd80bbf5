//! A bundle whose signatures and component were verified, and whose other files were not read yet.

use std::fs;
use std::path::Path;

use ampoule_signing::{Bundle, Timestamp, VerifiedBundle, pack_directory};

use crate::fixture::{FILES, Fixture};

/// A bundle that is open, of which nothing but the envelope and the component was read.
fn later(fixture: &Fixture, source: &Path) -> VerifiedBundle {
    Bundle::open(source)
        .unwrap()
        .verify_component(&fixture.trust(), Timestamp::now())
        .unwrap()
}

/// Counts the handles of this process that lead into a directory.
fn open_handles(below: &Path) -> usize {
    let below = below.canonicalize().unwrap();
    fs::read_dir("/proc/self/fd")
        .unwrap()
        // Other tests close theirs meanwhile.
        .filter_map(|handle| fs::read_link(handle.unwrap().path()).ok())
        .filter(|target| target.starts_with(&below))
        .count()
}

#[test]
fn the_component_is_read_at_once_and_the_files_when_they_are_wanted() {
    let fixture = Fixture::signed();
    let mut bundle = later(&fixture, &fixture.path());
    assert_eq!(bundle.component(), FILES[0].1);
    assert_eq!(bundle.files().count(), 0);
    bundle.check_files().unwrap();
    assert_eq!(bundle.files().count(), 0);
    bundle.read_files().unwrap();
    assert!(bundle.files().eq(fixture.verify().unwrap().files()));
    assert_eq!(bundle.files().count(), FILES.len() - 1);
    // Nor does it look again.
    fs::remove_dir_all(fixture.path()).unwrap();
    bundle.read_files().unwrap();
    bundle.check_files().unwrap();
    bundle.forget_files();
    assert_eq!(bundle.files().count(), 0);
}

#[test]
fn a_file_that_changes_after_the_component_was_verified_is_found() {
    for (name, content) in &FILES[1..] {
        let mut flipped = content.to_vec();
        flipped[0] ^= 1;
        let changes: [(&str, Option<&[u8]>); 4] = [
            ("file.digest", Some(&flipped)),
            ("file.size", Some(&content[1..])),
            ("file.size", Some(&[content, &b"x"[..]].concat())),
            ("file.missing", None),
        ];
        for (code, change) in changes {
            let fixture = Fixture::signed();
            let mut bundle = later(&fixture, &fixture.path());
            match change {
                Some(bytes) => fs::write(fixture.file(name), bytes).unwrap(),
                None => fs::remove_file(fixture.file(name)).unwrap(),
            }
            assert_eq!(bundle.check_files().unwrap_err().code(), code, "{name}");
            assert_eq!(bundle.read_files().unwrap_err().code(), code, "{name}");
            assert_eq!(bundle.files().count(), 0, "nothing of it is kept");
        }
    }
}

#[test]
fn a_packed_file_that_changes_after_the_component_was_verified_is_found() {
    let fixture = Fixture::signed();
    let packed = fixture.beside("bundle.ampoule");
    pack_directory(&fixture.path(), &packed).unwrap();
    let mut bundle = later(&fixture, &packed);
    let mut bytes = fs::read(&packed).unwrap();
    let weights = FILES[2].1;
    let place = bytes.windows(weights.len()).position(|at| at == weights);
    bytes[place.unwrap()] ^= 1;
    // In place: the same file that was opened.
    fs::write(&packed, bytes).unwrap();
    assert_eq!(bundle.check_files().unwrap_err().code(), "file.digest");
    assert_eq!(bundle.read_files().unwrap_err().code(), "file.digest");
}

#[test]
fn nothing_of_a_bundle_stays_open_once_its_files_are_read_or_forgotten() {
    let ends: [fn(&mut VerifiedBundle); 2] = [
        |bundle| bundle.read_files().unwrap(),
        VerifiedBundle::forget_files,
    ];
    for end in ends {
        let fixture = Fixture::signed();
        let packed = fixture.beside("packed");
        fs::create_dir(&packed).unwrap();
        let file = packed.join("bundle.ampoule");
        pack_directory(&fixture.path(), &file).unwrap();
        for (source, folder) in [(fixture.path(), fixture.path()), (file, packed)] {
            let mut bundle = later(&fixture, &source);
            assert!(open_handles(&folder) > 0);
            end(&mut bundle);
            assert_eq!(open_handles(&folder), 0);
        }
    }
}
