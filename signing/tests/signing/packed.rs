//! Bundles in one file: the same bytes every time, run as they are, and nothing hidden in them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ampoule_signing::{Bundle, ENVELOPE_FILE, Manifest, Timestamp, pack_directory, unpack_file};

use crate::fixture::{FILES, Fixture};

const BLOCK: usize = 512;

fn packed(fixture: &Fixture) -> PathBuf {
    let file = fixture.beside("minilm.ampoule");
    pack_directory(&fixture.path(), &file).unwrap();
    file
}

#[track_caller]
fn refusal(fixture: &Fixture, file: &Path) -> &'static str {
    let error = Bundle::open(file)
        .and_then(|bundle| bundle.verify(&fixture.trust(), Timestamp::now()))
        .map(|_| ())
        .expect_err("it must be refused");
    error.code()
}

/// Writes other bytes in place of a packed bundle, and gives the code that refuses them.
#[track_caller]
fn refusal_of(fixture: &Fixture, file: &Path, bytes: &[u8]) -> &'static str {
    fs::write(file, bytes).unwrap();
    refusal(fixture, file)
}

#[test]
fn a_packed_bundle_verifies_as_its_directory_does() {
    let fixture = Fixture::signed();
    let file = packed(&fixture);
    let (bundle, directory) = (
        Bundle::open(&file)
            .unwrap()
            .verify(&fixture.trust(), Timestamp::now())
            .unwrap(),
        fixture.verify().unwrap(),
    );
    assert_eq!(bundle.manifest_digest(), directory.manifest_digest());
    assert_eq!(bundle.component(), directory.component());
    assert!(bundle.files().eq(directory.files()));
    let component = Bundle::open(&file).unwrap().unverified_component().unwrap();
    assert_eq!(&component, directory.component());
}

#[test]
fn the_same_bundle_gives_the_same_bytes_wherever_and_whenever_it_is_packed() {
    let fixture = Fixture::signed();
    let first = fs::read(packed(&fixture)).unwrap();
    let elsewhere = fixture.beside("elsewhere");
    unpack_file(&fixture.beside("minilm.ampoule"), &elsewhere).unwrap();
    for (name, _) in FILES {
        let modes = fs::Permissions::from_mode(0o600);
        fs::set_permissions(elsewhere.join(name), modes).unwrap();
    }
    let again = fixture.beside("again.ampoule");
    pack_directory(&elsewhere, &again).unwrap();
    assert!(fs::read(again).unwrap() == first);
}

#[test]
fn the_systems_own_tar_reads_a_packed_bundle() {
    let fixture = Fixture::signed();
    let file = packed(&fixture);
    let out = fixture.beside("out");
    fs::create_dir(&out).unwrap();
    let status = Command::new("tar")
        .arg("-xf")
        .arg(&file)
        .arg("-C")
        .arg(&out)
        .status()
        .unwrap();
    assert!(status.success());
    for (name, content) in FILES {
        assert_eq!(fs::read(out.join(name)).unwrap(), content, "{name}");
    }
    assert_eq!(
        fs::read(out.join(ENVELOPE_FILE)).unwrap(),
        fixture.envelope_bytes()
    );
    // And what it packs itself, in the same order, is refused: it has owners, modes and times.
    let other = fixture.beside("other.tar");
    let status = Command::new("tar")
        .arg("--format=ustar")
        .arg("-cf")
        .arg(&other)
        .arg("-C")
        .arg(&out)
        .arg(ENVELOPE_FILE)
        .args(FILES.map(|(name, _)| name))
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(refusal(&fixture, &other), "file.archive");
}

#[test]
fn unpacking_gives_back_the_directory_and_nothing_else() {
    let fixture = Fixture::signed();
    fs::write(fixture.file("notes.txt"), "mine").unwrap();
    let file = packed(&fixture);
    let dir = fixture.beside("unpacked");
    let manifest: Manifest = unpack_file(&file, &dir).unwrap();
    assert_eq!(manifest.name(), "minilm");
    for (name, content) in FILES {
        assert_eq!(fs::read(dir.join(name)).unwrap(), content, "{name}");
    }
    assert!(
        !dir.join("notes.txt").exists(),
        "the manifest does not name it"
    );
    Bundle::open(&dir)
        .unwrap()
        .verify(&fixture.trust(), Timestamp::now())
        .unwrap();
    assert_eq!(unpack_file(&file, &dir).unwrap_err().code(), "io.exists");
    assert_eq!(pack_directory(&dir, &file).unwrap_err().code(), "io.exists");
}

#[test]
fn a_bundle_that_no_host_takes_is_neither_packed_nor_unpacked() {
    let fixture = Fixture::signed();
    let file = packed(&fixture);
    let mut bytes = fs::read(&file).unwrap();
    let weights = find(&bytes, b"0123456789 stands");
    bytes[weights] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let dir = fixture.beside("unpacked");
    assert_eq!(unpack_file(&file, &dir).unwrap_err().code(), "file.digest");
    assert!(!dir.exists());
    fs::write(fixture.file("config.json"), "{}").unwrap();
    let other = fixture.beside("other.ampoule");
    let refused = pack_directory(&fixture.path(), &other).unwrap_err();
    assert_eq!(refused.code(), "file.size");
    assert!(!other.exists());
    let left: Vec<_> = fs::read_dir(fixture.beside(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "nothing half-written is left: {left:?}");
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes
        .windows(part.len())
        .position(|window| window == part)
        .unwrap()
}

#[test]
fn no_byte_of_a_packed_bundle_can_be_changed_added_or_taken_away() {
    let fixture = Fixture::signed();
    let file = packed(&fixture);
    let bytes = fs::read(&file).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        refusal_of(&fixture, &file, &changed);
    }
    for length in (0..bytes.len()).step_by(97) {
        refusal_of(&fixture, &file, &bytes[..length]);
    }
    for more in [&[0][..], &[0; BLOCK], b"more"] {
        let longer = [&bytes, more].concat();
        assert_eq!(refusal_of(&fixture, &file, &longer), "file.archive");
    }
}

#[test]
fn links_devices_sparse_files_and_other_names_are_refused_by_name() {
    let fixture = Fixture::signed();
    let file = packed(&fixture);
    let bytes = fs::read(&file).unwrap();
    let header = find(&bytes, b"config.json\0");
    for (kind, said) in [
        (b'1', "a link"),
        (b'2', "a link"),
        (b'3', "a device"),
        (b'4', "a device"),
        (b'5', "a directory"),
        (b'6', "a pipe"),
        (b'S', "a sparse file"),
        (b'x', "an extension"),
        (b'g', "an extension"),
        (b'L', "an extension"),
    ] {
        let mut changed = bytes.clone();
        changed[header + 156] = kind;
        assert_says(&fixture, &file, &changed, said);
    }
    for (name, said) in [
        (&b"/etc/passwd"[..], "the file /etc/passwd"),
        (b"../x\0", "the file ../x"),
        (b"component.wasm\0", "the file component.wasm"),
    ] {
        let mut changed = bytes.clone();
        changed[header..header + name.len()].copy_from_slice(name);
        assert_says(&fixture, &file, &changed, said);
    }
}

#[track_caller]
fn assert_says(fixture: &Fixture, file: &Path, bytes: &[u8], said: &str) {
    fs::write(file, bytes).unwrap();
    let error = Bundle::open(file)
        .unwrap()
        .verify(&fixture.trust(), Timestamp::now())
        .unwrap_err();
    assert_eq!(error.code(), "file.archive");
    let text = error.to_string();
    assert!(
        text.contains(said) && text.contains("config.json"),
        "{text}"
    );
}

#[test]
fn a_file_of_another_order_or_twice_is_refused() {
    let fixture = Fixture::signed();
    let file = packed(&fixture);
    let bytes = fs::read(&file).unwrap();
    let member = |name: &[u8]| {
        let start = find(&bytes, name);
        // The fixture's files fit into one block each.
        bytes[start..start + 2 * BLOCK].to_vec()
    };
    let (config, tokenizer) = (member(b"config.json\0"), member(b"tokenizer.json\0"));
    let start = find(&bytes, b"config.json\0");
    let mut twice = bytes.clone();
    twice.splice(start..start, config.clone());
    assert_eq!(refusal_of(&fixture, &file, &twice), "file.archive");
    let mut swapped = bytes.clone();
    swapped[start..start + 2 * BLOCK].copy_from_slice(&tokenizer);
    let at = find(&bytes, b"tokenizer.json\0");
    swapped[at..at + 2 * BLOCK].copy_from_slice(&config);
    assert_eq!(refusal_of(&fixture, &file, &swapped), "file.archive");
}

#[test]
fn what_is_no_packed_bundle_is_refused() {
    let fixture = Fixture::signed();
    let file = packed(&fixture);
    for bytes in [&b""[..], b"{}", &[0; 4096], &[0xff; 4096]] {
        assert_eq!(refusal_of(&fixture, &file, bytes), "file.archive");
    }
    // An envelope of 8 GiB, by its header.
    let mut huge = fs::read(packed_again(&fixture)).unwrap();
    huge[124..135].copy_from_slice(b"77777777777");
    assert_eq!(refusal_of(&fixture, &file, &huge), "file.archive");
    assert_eq!(refusal(&fixture, Path::new("/dev/null")), "file.type");
    let link = fixture.beside("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert_eq!(refusal(&fixture, &link), "file.symlink");
    fs::remove_file(&file).unwrap();
    fs::rename(fixture.beside("again.ampoule"), &file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o646)).unwrap();
    assert_eq!(refusal(&fixture, &file), "trust.permissions");
}

#[test]
fn where_others_could_swap_a_packed_bundle_it_is_refused() {
    let fixture = Fixture::signed();
    let dir = fixture.beside("shared");
    fs::create_dir(&dir).unwrap();
    let file = dir.join("minilm.ampoule");
    pack_directory(&fixture.path(), &file).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(refusal(&fixture, &file), "trust.permissions");
    // As in /tmp: others may add files there, and not replace this one.
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o1777)).unwrap();
    Bundle::open(&file)
        .unwrap()
        .verify(&fixture.trust(), Timestamp::now())
        .unwrap();
}

fn packed_again(fixture: &Fixture) -> PathBuf {
    let file = fixture.beside("again.ampoule");
    pack_directory(&fixture.path(), &file).unwrap();
    file
}
