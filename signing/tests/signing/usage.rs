//! What every command of `ampoule-sign` has: help, and one line for a wrong command line.

use crate::command_line::{PASSWORD, answer, assert_refused};

#[test]
fn a_wrong_command_line_is_one_line_and_status_2() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [
        &[][..],
        &["nonsense"],
        &["keygen"],
        &["sign", "bundle"],
        &["cosign", "bundle"],
        &["root"],
        &["root", "init", "root.json", "--key", "a.pub"],
        // Elsewhere the name of a limit; a cap has another.
        &[
            "root",
            "delegate",
            "root.json",
            "acme/*",
            "--memory",
            "1MiB",
        ],
        &["verify", "bundle"],
        &["verify", "bundle", "--trust", "x", "--publisher", "y"],
        &["keygen", "k", "--no-encryption", "--password-file", "p"],
    ] {
        assert_refused(dir.path(), arguments, "usage.arguments", 2);
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        "keygen",
        "pubkey",
        "init",
        "sign",
        "cosign",
        "verify",
        "inspect",
        "root",
        "root init",
        "root delegate",
        "root caps",
        "root revocation",
        "root add-key",
        "root remove-key",
        "root remove-delegation",
        "root next",
        "root sign",
        "root cosign",
        "root verify",
        "root inspect",
    ] {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = answer(dir.path(), &words);
        assert!(
            help.contains(&format!("Example:\n  ampoule-sign {command} ")),
            "{help}"
        );
        assert!(help.contains("--json"), "{help}");
        assert!(!help.contains(PASSWORD), "help shows no password");
    }
    assert!(answer(dir.path(), &["--help"]).contains("Example:"));
    assert!(answer(dir.path(), &["--version"]).starts_with("ampoule-sign "));
}
