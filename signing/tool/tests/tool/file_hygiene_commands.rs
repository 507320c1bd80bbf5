//! `ampoule-sign` and files that somebody else could change: every command that reads one, and every user
//! as whom it may run.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::command_line::{INIT, answer, assert_refused, run, workplace};
use crate::file_access::{STRANGER, set_mode};
use crate::fixture::Fixture;

/// Another user who is not root.
const SERVICE: u32 = 54_322;

/// The warnings that a command gave, a line each.
#[track_caller]
fn warnings(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.status.success(), "{text}");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_command_refuses_what_others_can_change_and_takes_it_only_when_asked() {
    let dir = workplace();
    let dir = dir.path();
    // All files lie in one directory that everybody can write to, and are otherwise in order.
    set_mode(dir, 0o777);
    fs::write(dir.join("password"), "another password\n").unwrap();
    set_mode(&dir.join("password"), 0o600);
    let commands: [&[&str]; 21] = [
        &["keygen", "acme.key"],
        &["pubkey", "acme.key"],
        &["passwd", "acme.key", "--new-password-file", "password"],
        &[
            "passwd",
            "acme.key",
            "--password-file",
            "password",
            "--no-encryption",
        ],
        &INIT,
        &["sign", "bundle", "--key", "acme.key"],
        &["verify", "bundle", "--public-key", "acme.pub"],
        &["inspect", "bundle"],
        &["digest", "bundle"],
        &["pack", "bundle", "minilm.ampoule"],
        &["verify", "minilm.ampoule", "--public-key", "acme.pub"],
        &["unpack", "minilm.ampoule", "unpacked"],
        &[
            "root",
            "init",
            "root.json",
            "--name",
            "fleet",
            "--key",
            "acme.pub",
            "--expires",
            "2999-01-01T00:00:00Z",
        ],
        &[
            "root",
            "delegate",
            "root.json",
            "acme/*",
            "--key",
            "acme.pub",
        ],
        &["root", "caps", "root.json", "--cap-memory", "64MiB"],
        &["root", "revocation", "root.json", "--key", "acme.pub"],
        &["root", "remove-delegation", "root.json", "acme/*"],
        &["root", "sign", "root.json", "--key", "acme.key"],
        &["root", "verify", "1.root.dsse.json"],
        &["root", "inspect", "1.root.dsse.json"],
        &[
            "root",
            "next",
            "root.json",
            "--expires",
            "2999-02-01T00:00:00Z",
        ],
    ];
    for command in commands {
        assert_refused(dir, command, "trust.permissions", 3);
        let output = run(
            dir,
            &[&["--insecure-permissions", "--json"], command].concat(),
        );
        let warned = warnings(&output);
        assert!(!warned.is_empty(), "{command:?}");
        for line in &warned {
            assert!(
                line.starts_with("warning: taken all the same: the directory above ")
                    && line.ends_with("(trust.permissions)"),
                "{command:?}: {line}"
            );
            assert!(!line.contains(dir.to_str().unwrap()), "{line}");
        }
        let once: std::collections::BTreeSet<_> = warned.iter().collect();
        assert_eq!(once.len(), warned.len(), "{warned:?}");
        // One document, and nothing else.
        let _: Value = serde_json::from_slice(&output.stdout).unwrap();
    }
    // Where nothing is wrong, nothing is said.
    set_mode(dir, 0o755);
    answer(dir, &["--insecure-permissions", "inspect", "bundle"]);
}

#[test]
fn a_second_signer_takes_what_others_can_change_only_when_asked() {
    let fixture = Fixture::signed();
    let dir = fixture.beside("");
    answer(&dir, &["keygen", "second.key", "--no-encryption"]);
    set_mode(&fixture.path(), 0o777);
    let cosign = [
        "cosign",
        "bundle",
        "--key",
        "second.key",
        "--expect",
        "acme/minilm",
    ];
    assert_refused(&dir, &cosign, "trust.permissions", 3);
    let output = run(&dir, &[&["--insecure-permissions"], &cosign[..]].concat());
    assert_eq!(
        warnings(&output),
        [
            "warning: taken all the same: the bundle has mode 0777, which lets everybody change it; \
             run `chmod o-w` on it (trust.permissions)"
        ]
    );
}

#[test]
fn a_private_key_that_others_can_read_signs_only_when_asked_and_with_a_warning() {
    let fixture = Fixture::unsigned();
    let dir = fixture.beside("");
    answer(&dir, &["keygen", "acme.key", "--no-encryption"]);
    set_mode(&dir.join("acme.key"), 0o644);
    let sign = ["sign", "bundle", "--key", "acme.key"];
    assert_refused(&dir, &sign, "trust.permissions", 3);
    let output = run(&dir, &[&["--insecure-permissions"], &sign[..]].concat());
    let warned = warnings(&output);
    assert_eq!(warned.len(), 1);
    assert!(
        warned[0].contains("\"acme.key\" has mode 0644"),
        "{warned:?}"
    );
    assert_refused(&dir, &sign, "trust.permissions", 3);
}

#[test]
fn a_password_may_come_through_a_pipe_that_the_shell_opened() {
    let dir = workplace();
    let dir = dir.path();
    answer(dir, &["keygen", "acme.key"]);
    let script = "\"$0\" pubkey acme.key --password-file <(printf 'a password\\n')";
    let output = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_ampoule-sign")])
        .current_dir(dir)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        answer(dir, &["pubkey", "acme.key"])
    );
}

/// A signed bundle that everybody may read, with the command beside it, for users who cannot enter the
/// directory that the tests are built in.
fn public_place() -> (Fixture, std::path::PathBuf) {
    let fixture = Fixture::signed();
    fixture.write_public_key();
    let dir = fixture.beside("").canonicalize().unwrap();
    set_mode(&dir, 0o755);
    // Not by this process: a file that it has open for writing cannot be run, nor while a test beside this
    // one starts a command that inherits it.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_ampoule-sign"))
        .arg(dir.join("command"))
        .status();
    assert!(copied.unwrap().success());
    set_mode(&dir.join("command"), 0o755);
    (fixture, dir)
}

fn verify(dir: &Path, command: &mut Command) -> String {
    let output = command
        .args(["--json", "verify", "bundle", "--public-key", "acme.pub"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    });
    match document["error"]["code"].as_str() {
        Some(code) => code.to_owned(),
        None => {
            assert_eq!(document["verified"], true, "{document}");
            "taken".to_owned()
        }
    }
}

#[test]
fn a_service_takes_what_is_its_own_or_roots_and_root_only_what_is_roots() {
    let (fixture, dir) = public_place();
    let files = ["config.json", "", "../acme.pub"].map(|name| fixture.file(name));
    let verify_as = |user| verify(&dir, Command::new(dir.join("command")).uid(user).gid(user));
    if chown(&files[0], Some(STRANGER), None).is_err() {
        // Who is not root owns what they made, and can show no more than that it is taken.
        assert_eq!(
            verify(&dir, &mut Command::new(dir.join("command"))),
            "taken"
        );
        return;
    }
    for file in &files {
        for (owner, by_service, by_root) in [
            (0, "taken", "taken"),
            (SERVICE, "taken", "trust.owner"),
            (STRANGER, "trust.owner", "trust.owner"),
        ] {
            for other in &files {
                chown(other, Some(0), None).unwrap();
            }
            chown(file, Some(owner), None).unwrap();
            assert_eq!(verify_as(SERVICE), by_service, "{file:?} of {owner}");
            assert_eq!(verify_as(0), by_root, "{file:?} of {owner}");
        }
    }
}

#[test]
fn in_a_user_namespace_a_file_of_nobody_is_taken_from_nobody() {
    let (_fixture, dir) = public_place();
    // The system shows every file there as one of the very user that the process is shown as.
    let unshare = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--"]).arg(program);
        command
    };
    let is_possible = unshare("true")
        .status()
        .is_ok_and(|status| status.success());
    if is_possible {
        let command = dir.join("command");
        assert_eq!(verify(&dir, &mut Command::new(&command)), "taken");
        let verdict = verify(&dir, &mut unshare(command.to_str().unwrap()));
        assert_eq!(verdict, "trust.owner");
    } else {
        // Forbidden here, as in many containers, where root can give files away instead.
        assert!(
            chown(dir.join("acme.pub"), Some(STRANGER), None).is_ok(),
            "neither user namespaces nor root: nothing about owners can be shown"
        );
        assert_eq!(
            verify(&dir, &mut Command::new(dir.join("command"))),
            "trust.owner"
        );
    }
}
