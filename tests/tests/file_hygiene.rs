//! `ampoule` and files that somebody else could change: refused, or run with a warning where the operator
//! says so for that one run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use ampoule::{LoadOptions, PermissionPolicy};
use ampoule_tests::{
    Operator, Publisher, ampoule, assert_fails, block_on, host_trusting, json_of, set_mode,
};

/// A bundle, a trust directory and a state directory, each below a directory of its own.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let operator = Operator::new();
        let machine = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for name in [
            "models",
            "models/minilm",
            "secrets",
            "secrets/trust",
            "var",
            "var/state",
        ] {
            std::fs::create_dir(machine.path(name)).unwrap();
            set_mode(&machine.path(name), 0o755);
        }
        let bundle = operator.good().write();
        for (from, to) in [
            (bundle.path(), "models/minilm"),
            (operator.trust(), "secrets/trust"),
        ] {
            for entry in std::fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let to = machine.path(to).join(entry.file_name());
                std::fs::copy(entry.path(), &to).unwrap();
                set_mode(&to, 0o644);
            }
        }
        assert!(machine.embed(&[]).status.success());
        machine
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = ampoule();
        command.args(["embed", "--json", "a text"]).args(more);
        for (option, name) in [
            ("--model", "models/minilm"),
            ("--trust", "secrets/trust"),
            ("--state", "var/state"),
        ] {
            command.arg(option).arg(self.path(name));
        }
        command
    }

    fn embed(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }
}

/// Returns the one warning on standard error, beside one whole answer on standard output.
#[track_caller]
fn assert_warns(output: &Output, code: &str) {
    let warnings = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.status.success(), "{warnings}");
    assert!(json_of(output)["error"].is_null());
    assert_eq!(warnings.lines().count(), 1, "{warnings}");
    for part in ["WARN", "ampoule::permissions", code, "taken all the same"] {
        assert!(warnings.contains(part), "{warnings}");
    }
    assert!(!warnings.contains("/tmp/"), "{warnings}");
}

#[test]
fn what_others_can_change_runs_only_when_the_operator_says_so_and_is_told_each_time() {
    let machine = Machine::new();
    for name in [
        "models",
        "models/minilm",
        "models/minilm/component.wasm",
        "models/minilm/ampoule.dsse.json",
        "secrets",
        "secrets/trust",
        "secrets/trust/trust.toml",
        "var",
        "var/state",
        "var/state/releases.acme.json",
    ] {
        let path = machine.path(name);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        set_mode(&path, mode | 0o002);
        assert_fails(&machine.embed(&[]), "trust.permissions", 3);
        assert_warns(
            &machine.embed(&["--insecure-permissions"]),
            "trust.permissions",
        );
        let mut by_variable = machine.command(&[]);
        by_variable.env("AMPOULE_INSECURE_PERMISSIONS", "1");
        assert_warns(&by_variable.output().unwrap(), "trust.permissions");
        // Neither is remembered, and a variable that says no says nothing.
        let mut declined = machine.command(&[]);
        declined.env("AMPOULE_INSECURE_PERMISSIONS", "false");
        assert_fails(&declined.output().unwrap(), "trust.permissions", 3);
        assert_fails(&machine.embed(&[]), "trust.permissions", 3);
        set_mode(&path, mode);
    }
    let fine = machine.embed(&["--insecure-permissions"]);
    assert!(fine.status.success() && fine.stderr.is_empty());
}

#[test]
fn a_configuration_file_is_checked_and_cannot_switch_the_checks_off() {
    let machine = Machine::new();
    set_mode(&machine.path("models"), 0o777);
    let config = machine.path("ampoule.toml");
    std::fs::write(&config, "insecure-permissions = true\n").unwrap();
    set_mode(&config, 0o644);
    let output = machine.embed(&["--config", config.to_str().unwrap()]);
    assert_fails(&output, "usage.config", 2);
    // It names the trust and state directories: a user who can change it decides on trust.
    std::fs::write(&config, "[limits]\ntexts = 1\n").unwrap();
    set_mode(&machine.path("models"), 0o755);
    set_mode(&config, 0o666);
    let with_config = ["--config", config.to_str().unwrap()];
    assert_fails(&machine.embed(&with_config), "trust.permissions", 3);
    let insecure = [&["--insecure-permissions"], &with_config[..]].concat();
    assert_warns(&machine.embed(&insecure), "trust.permissions");
    set_mode(&config, 0o644);
    assert!(machine.embed(&with_config).status.success());
}

#[test]
fn what_belongs_to_somebody_else_does_not_run() {
    const STRANGER: u32 = 54_321;
    let machine = Machine::new();
    for name in [
        "models",
        "models/minilm/component.wasm",
        "secrets/trust",
        "var/state/releases.acme.json",
    ] {
        let path = machine.path(name);
        if std::os::unix::fs::chown(&path, Some(STRANGER), None).is_err() {
            // Only root can give a file away. For everybody else the rule itself is tested where it is.
            assert!(machine.embed(&[]).status.success());
            return;
        }
        assert_fails(&machine.embed(&[]), "trust.owner", 3);
        assert_warns(&machine.embed(&["--insecure-permissions"]), "trust.owner");
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
}

#[test]
fn a_trust_command_changes_nothing_that_others_can_change_unless_it_is_told_to() {
    let machine = Machine::new();
    let key = machine.path("acme.pub");
    Publisher::new("beta")
        .public_key()
        .write_file(&key)
        .unwrap();
    let trust = |more: &[&str]| {
        let mut command = ampoule();
        command
            .args(["trust", "--json", "--trust"])
            .arg(machine.path("secrets/trust"));
        command.args(more).output().unwrap()
    };
    let add = ["add", "--publisher", "beta", key.to_str().unwrap()];
    let before = std::fs::read(machine.path("secrets/trust/trust.toml")).unwrap();
    set_mode(&key, 0o666);
    assert_fails(&trust(&add), "trust.permissions", 3);
    set_mode(&key, 0o644);
    set_mode(&machine.path("secrets"), 0o777);
    assert_fails(&trust(&add), "trust.permissions", 3);
    assert_fails(&trust(&["list"]), "trust.permissions", 3);
    assert_eq!(
        std::fs::read(machine.path("secrets/trust/trust.toml")).unwrap(),
        before
    );
    let added = trust(&[&["--insecure-permissions"], &add[..]].concat());
    assert_warns(&added, "trust.permissions");
    assert!(std::fs::read(machine.path("secrets/trust/trust.toml")).unwrap() != before);
}

#[test]
fn the_library_takes_what_others_can_change_only_for_the_load_that_says_so() {
    let publisher = Publisher::new("acme");
    let bundle = publisher.every_task().write();
    set_mode(bundle.path(), 0o777);
    let host = host_trusting(&publisher);
    let (sender, warnings) = std::sync::mpsc::channel();
    let permissions = PermissionPolicy::insecure(move |problem| {
        sender.send(problem.code()).unwrap();
    });
    let refused = block_on(host.load(&bundle)).map(drop);
    assert_eq!(refused.unwrap_err().code(), "trust.permissions");
    let options = LoadOptions {
        permissions,
        ..LoadOptions::default()
    };
    block_on(host.load_with(&bundle, options)).unwrap();
    assert_eq!(warnings.iter().collect::<Vec<_>>(), ["trust.permissions"]);
    let refused = block_on(host.load(&bundle)).map(drop);
    assert_eq!(refused.unwrap_err().code(), "trust.permissions");
}
