//! Every file that a decision rests on × everything that lets somebody else change it: refused by its
//! code, and taken with a warning where a caller asks for that.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ampoule_signing::{
    Bundle, ENVELOPE_FILE, Error, FileRules, PermissionPolicy, ReleaseState, Result, SecretKey,
    Sha256Digest, Timestamp, TrustStore, digest_directory,
};
use tempfile::TempDir;

use crate::file_access::{STRANGER, set_mode};
use crate::fixture::{Fixture, snapshot};
use crate::guarded_files::{KINDS, Kind, trust};

/// A change by somebody to a file or to a directory above it.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Nothing,
    /// These bits more in the mode of what is so many levels above the file.
    Writable {
        above: usize,
        bits: u32,
    },
    /// Somebody else owns it.
    Stranger {
        above: usize,
    },
    /// A link stands in place of the file.
    Link,
}

/// The file, its directory, the one above and the one above that.
const LEVELS: usize = 4;
const EVERYBODY: u32 = 0o002;
const GROUP: u32 = 0o020;
const AS_IN_TMP: u32 = 0o1022;

fn faults() -> Vec<Fault> {
    let mut faults = vec![Fault::Nothing, Fault::Link];
    for above in 0..LEVELS {
        faults.push(Fault::Stranger { above });
        for bits in [EVERYBODY, GROUP, AS_IN_TMP] {
            faults.push(Fault::Writable { above, bits });
        }
    }
    faults
}

impl Kind {
    /// The code of the refusal, or `taken`.
    fn expected(&self, fault: Fault) -> &'static str {
        let is_directory = self.name == "a bundle";
        match fault {
            Fault::Nothing => "taken",
            // What it leads to is checked like everything else.
            Fault::Link if is_directory => "taken",
            Fault::Link => "file.symlink",
            Fault::Stranger { .. } => "trust.owner",
            Fault::Writable { bits: GROUP, .. } if !self.is_private => "taken",
            Fault::Writable {
                above,
                bits: AS_IN_TMP,
            } if above > usize::from(self.is_in_named_directory) => "taken",
            Fault::Writable { .. } => "trust.permissions",
        }
    }
}

/// Does it, or says that only root could.
fn inflict(fault: Fault, file: &Path) -> bool {
    let level = |above| file.ancestors().nth(above).unwrap();
    match fault {
        Fault::Nothing => {}
        Fault::Writable { above, bits } => {
            let mode = fs::metadata(level(above)).unwrap().permissions().mode();
            set_mode(level(above), mode | bits);
        }
        Fault::Stranger { above } => return give_away(level(above)),
        Fault::Link => {
            fs::rename(file, file.with_file_name("real")).unwrap();
            symlink("real", file).unwrap();
        }
    }
    true
}

/// Gives a file to somebody else, or says that only root could.
pub(crate) fn give_away(path: &Path) -> bool {
    match lchown(path, Some(STRANGER), None) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => false,
        given => {
            given.unwrap();
            true
        }
    }
}

/// A policy that takes everything, and the codes of what it warned of.
fn insecure() -> (PermissionPolicy, Arc<Mutex<Vec<&'static str>>>) {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&warnings);
    let policy = PermissionPolicy::insecure(move |problem| {
        assert!(!problem.to_string().contains("/tmp/"), "{problem}");
        seen.lock().unwrap().push(problem.code());
    });
    (policy, warnings)
}

fn code(result: &Result<()>) -> &'static str {
    result.as_ref().map_or_else(Error::code, |()| "taken")
}

#[test]
#[allow(clippy::print_stdout, reason = "how many cases there were")]
fn what_others_can_change_is_refused_wherever_and_however_they_can() {
    let (mut done, mut left_out) = (0, 0);
    for kind in &KINDS {
        for fault in faults() {
            let dir = TempDir::new().unwrap();
            let home = dir.path().join("above/home");
            fs::create_dir_all(&home).unwrap();
            for dir in [&dir.path().join("above"), &home] {
                set_mode(dir, 0o755);
            }
            let subject = (kind.make)(&home);
            if !inflict(fault, &subject.file) {
                left_out += 1;
                continue;
            }
            let what = format!("{}: {fault:?}", kind.name);
            let expected = kind.expected(fault);
            let before = snapshot(dir.path());
            let result = (subject.open)(&PermissionPolicy::default());
            assert_eq!(code(&result), expected, "{what}: {result:?}");
            if let Err(error) = &result {
                let message = error.to_string();
                assert!(!message.contains("/tmp/"), "{what}: {message}");
                assert_eq!(snapshot(dir.path()), before, "{what}: changed");
            }
            // The same with the override, which is about permissions and not about links.
            let (policy, warnings) = insecure();
            let result = (subject.open)(&policy);
            let warnings = warnings.lock().unwrap();
            match expected {
                "taken" => {
                    assert_eq!(code(&result), "taken", "{what}: {result:?}");
                    assert!(warnings.is_empty(), "{what}: {warnings:?}");
                }
                "file.symlink" => {
                    assert_eq!(code(&result), "file.symlink", "{what}");
                    assert!(warnings.is_empty(), "{what}: {warnings:?}");
                }
                code_of_fault => {
                    assert_eq!(code(&result), "taken", "{what}: {result:?}");
                    assert_eq!(warnings[..], [code_of_fault], "{what}");
                }
            }
            // It was for that one value.
            let result = (subject.open)(&PermissionPolicy::default());
            assert_eq!(code(&result), expected, "{what}: {result:?}");
            done += 1;
        }
    }
    let total = KINDS.len() * (2 + 4 * LEVELS);
    assert_eq!(done + left_out, total);
    // Who is not root cannot give a file away. Then `only_what_belongs_to_root_or_to_the_user_is_taken`
    // and `in_a_user_namespace_a_file_of_nobody_is_taken_from_nobody` say the same without.
    if left_out > 0 {
        assert_eq!(left_out, KINDS.len() * LEVELS);
    }
    println!("{done} of {total} cases as expected");
}

#[test]
fn a_link_to_a_directory_is_checked_where_it_is_and_where_it_leads() {
    let dir = TempDir::new().unwrap();
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    drop(trust(&home));
    let links = dir.path().join("links");
    fs::create_dir(&links).unwrap();
    let link = links.join("trust");
    let open = || TrustStore::open(&link).map(drop);
    set_mode(&links, 0o755);
    set_mode(&home, 0o755);
    // The last one goes up more often than there are directories: the root is above itself.
    let up = PathBuf::from("../".repeat(100));
    for target in [
        home.join("trust"),
        "../home/trust".into(),
        up.join(home.strip_prefix("/").unwrap()).join("trust"),
    ] {
        symlink(&target, &link).unwrap();
        assert_eq!(code(&open()), "taken", "{target:?}");
        // Whoever can change the link decides where it leads.
        set_mode(&links, 0o777);
        assert_eq!(code(&open()), "trust.permissions", "{target:?}");
        set_mode(&links, 0o755);
        set_mode(&home, 0o777);
        assert_eq!(code(&open()), "trust.permissions", "{target:?}");
        set_mode(&home, 0o755);
        fs::remove_file(&link).unwrap();
    }
    symlink(home.join("trust"), &link).unwrap();
    set_mode(&links, 0o1777);
    assert_eq!(code(&open()), "taken");
    if give_away(&link) {
        // As anybody can put one into `/tmp`.
        assert_eq!(code(&open()), "trust.owner");
    }
    fs::remove_file(&link).unwrap();
    symlink("trust", &link).unwrap();
    assert_eq!(code(&open()), "io.failed", "a link to itself");
}

#[test]
fn a_directory_is_made_only_where_nobody_else_could_swap_it() {
    let dir = TempDir::new().unwrap();
    let shared = dir.path().join("shared");
    fs::create_dir(&shared).unwrap();
    set_mode(&shared, 0o777);
    let key = SecretKey::generate().unwrap();
    let add = |permissions: &PermissionPolicy| {
        TrustStore::update(permissions.at(&shared.join("trust")), |store| {
            store.insert(key.public_key().clone(), ["acme"])
        })
    };
    let refused = add(&PermissionPolicy::default()).unwrap_err();
    assert_eq!(refused.code(), "trust.permissions");
    let message = refused.to_string();
    assert!(
        message.contains("the directory above the trust directory"),
        "{message}"
    );
    assert!(message.contains("mode 0777"), "{message}");
    assert!(message.contains("chmod go-w"), "{message}");
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 0);
    let state = ReleaseState::in_directory(shared.join("state"));
    let manifest = Fixture::signed().verify().unwrap().manifest().clone();
    let refused = state.record(&manifest, Sha256Digest::of(b"")).unwrap_err();
    assert_eq!(refused.code(), "trust.permissions");
    let refused = key.write_file(&shared.join("acme.key"), None).unwrap_err();
    assert_eq!(refused.code(), "trust.permissions");
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 0);

    let (policy, warnings) = insecure();
    add(&policy).unwrap();
    assert_eq!(warnings.lock().unwrap()[..], ["trust.permissions"]);
    let made = fs::metadata(shared.join("trust")).unwrap();
    assert_eq!(made.permissions().mode() & 0o7777, 0o700);
}

#[test]
fn a_mistyped_path_becomes_no_directories() {
    let dir = TempDir::new().unwrap();
    let key = SecretKey::generate().unwrap();
    let path = dir.path().join("mistyped/above/trust");
    let refused = TrustStore::update(&path, |store| {
        store.insert(key.public_key().clone(), ["acme"])
    });
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), "io.failed");
    let message = refused.to_string();
    assert!(
        message.contains("make the directory 2 above the trust directory first"),
        "{message}"
    );
    let state = ReleaseState::in_directory(dir.path().join("mistyped/state"));
    let manifest = Fixture::signed().verify().unwrap().manifest().clone();
    let refused = state.record(&manifest, Sha256Digest::of(b"")).unwrap_err();
    assert_eq!(refused.code(), "io.failed");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn of_many_problems_the_first_few_are_told() {
    let fixture = Fixture::signed();
    for name in ["onnx", "config.json", "component.wasm", ENVELOPE_FILE] {
        set_mode(&fixture.file(name), 0o777);
    }
    let (policy, warnings) = insecure();
    for _ in 0..2 {
        let bundle = Bundle::open(policy.at(&fixture.path())).unwrap();
        bundle.verify(&fixture.trust(), Timestamp::now()).unwrap();
    }
    assert_eq!(warnings.lock().unwrap()[..], ["trust.permissions"; 4]);

    let dir = fixture.beside("many");
    fs::create_dir(&dir).unwrap();
    for name in 0..20 {
        let file = dir.join(name.to_string());
        fs::write(&file, "").unwrap();
        set_mode(&file, 0o666);
    }
    let (policy, warnings) = insecure();
    let (digests, _) = digest_directory(policy.at(&dir), &FileRules::new()).unwrap();
    assert_eq!(digests.len(), 20);
    assert_eq!(warnings.lock().unwrap().len(), 8);
}
