//! The password prompt, on a real pseudo-terminal made by `script` (util-linux).

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ampoule_signing::{Bundle, SecretKey};
use zeroize::Zeroizing;

use crate::fixture::Fixture;

/// Runs `ampoule-sign` on a terminal where somebody types `lines`; gives what the terminal shows
/// and whether it succeeded.
fn type_into(dir: &Path, arguments: &str, lines: &str) -> (String, bool) {
    let program = format!("{} {arguments}", env!("CARGO_BIN_EXE_ampoule-sign"));
    let mut child = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--echo",
            "never",
            "--command",
            &program,
            "/dev/null",
        ])
        .current_dir(dir)
        .env_remove("AMPOULE_SIGN_PASSWORD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs the `script` tool; install util-linux");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.success(),
    )
}

#[test]
fn a_password_is_asked_for_twice_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (shown, success) = type_into(dir.path(), "keygen acme.key", "hunter2\nhunter2\n");
    assert!(success, "{shown}");
    assert!(
        shown.contains("New password for the private key: "),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    let path = dir.path().join("acme.key");
    SecretKey::read_file(&path, || Ok(Zeroizing::new("hunter2".to_owned()))).unwrap();
    let (shown, success) = type_into(dir.path(), "pubkey acme.key", "hunter2\n");
    assert!(success, "{shown}");
    assert!(shown.contains("BEGIN PUBLIC KEY"), "{shown}");
}

#[test]
fn two_different_new_passwords_make_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let (shown, success) = type_into(dir.path(), "keygen acme.key", "hunter2\nhunter3\n");
    assert!(!success && shown.contains("(usage.password)"), "{shown}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_cosigner_sees_what_they_sign_before_they_say_yes() {
    let fixture = Fixture::signed();
    let dir = fixture.beside("");
    let second = SecretKey::generate().unwrap();
    second
        .write_file(&fixture.beside("second.key"), None)
        .unwrap();
    let signatures = || {
        let bundle = Bundle::open(&fixture.path()).unwrap();
        bundle.envelope().signatures().len()
    };
    let (shown, success) = type_into(&dir, "cosign bundle --key second.key", "y\n");
    assert!(!success && shown.contains("(usage.declined)"), "{shown}");
    assert_eq!(signatures(), 1);
    let (shown, success) = type_into(&dir, "cosign bundle --key second.key", "yes\n");
    assert!(success, "{shown}");
    let question = shown.find("Sign this?").unwrap();
    for seen in ["minilm", "acme", "1.0.0 (release 1)", "config.json"] {
        assert!(shown.find(seen).is_some_and(|at| at < question), "{shown}");
    }
    assert_eq!(signatures(), 2);
}
