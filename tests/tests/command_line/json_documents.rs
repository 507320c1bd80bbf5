//! One JSON document on standard output, whatever happens.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use ampoule_tests::{Operator, ampoule, ampoule_sign, assert_fails, json_of};

/// The two ways to ask for JSON.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    Option,
    Variable,
}

const WAYS: [Way; 2] = [Way::Option, Way::Variable];

fn asked_by(way: Way, mut command: Command, words: &[&str]) -> Output {
    match way {
        Way::Option => command.arg("--json").args(words),
        Way::Variable => command.args(words).env("AMPOULE_JSON", "1"),
    };
    command.output().unwrap()
}

/// Reads one line of JSON, and checks that nothing is beside it.
#[track_caller]
fn assert_one_document(output: &Output) {
    assert!(json_of(output).is_object(), "{output:?}");
    let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 1, "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn every_wrong_command_line_is_answered_with_one_document_that_says_all_of_it() {
    for way in WAYS {
        for (words, said) in [
            (&["frobnicate"][..], "frobnicate"),
            (&[], "command"),
            (&["classify"], "--image <FILE>"),
            (&["embed"], "TEXT"),
            (&["ask"], "<PROMPT>"),
            (&["trust"], "command"),
            (&["trust", "add", "x.pem"], "--publisher <PUBLISHER>"),
            (&["trust", "list", "--fuel", "7"], "--fuel"),
            (
                &["trust", "add", "x.pem", "--memory", "7MiB"],
                "--cap-memory",
            ),
            (&["embed", "x", "--nonsense"], "--nonsense"),
            (&["embed", "x", "--memory", "lots"], "256MiB"),
            (&["embed", "x", "--limits", "loose"], "strict"),
            (&["ask", "x", "--temperature", "warm"], "warm"),
            (&["cache", "list", "more"], "more"),
            (&["keys"], "command"),
            (&["keys", "add", "--role", "infer"], "--tenant <TENANT>"),
            (&["keys", "revoke"], "NAME"),
        ] {
            let output = asked_by(way, ampoule(), words);
            assert_fails(&output, "usage.arguments", 2);
            assert_one_document(&output);
            let message = json_of(&output)["error"]["message"].to_string();
            assert!(message.contains(said), "{words:?}: {message}");
        }
        for (words, said) in [
            (&["frobnicate"][..], "frobnicate"),
            (&[], "command"),
            (&["sign"], "--key"),
            (&["root", "delegate"], "PATTERN"),
            (&["keygen"], "not provided: "),
        ] {
            let output = asked_by(way, ampoule_sign(), words);
            assert_fails(&output, "usage.arguments", 2);
            assert_one_document(&output);
            let message = json_of(&output)["error"]["message"].to_string();
            assert!(message.contains(said), "{words:?}: {message}");
        }
    }
}

#[test]
fn a_wrong_variable_or_configuration_file_is_answered_with_one_document() {
    let operator = Operator::new();
    let config = operator.trust().join("bad.toml");
    std::fs::write(&config, "[limits]\nimages = 2\nmemroy = \"1MiB\"\n").unwrap();
    for way in WAYS {
        for (variable, value, code) in [
            ("AMPOULE_TEXTS", "lots", "usage.arguments"),
            ("AMPOULE_LIMITS", "loose", "usage.arguments"),
            ("AMPOULE_NO_CACHE", "perhaps", "usage.arguments"),
            ("AMPOULE_CLOCK_RESOLUTION", "1ns", "usage.arguments"),
            ("AMPOULE_CONFIG", config.to_str().unwrap(), "usage.config"),
        ] {
            let mut command = ampoule();
            command.env(variable, value);
            let output = asked_by(way, command, &["embed", "x"]);
            assert_fails(&output, code, 2);
            assert_one_document(&output);
        }
    }
    // In one line for people too, with the line of the file.
    let output = ampoule()
        .args(["trust", "list", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(
        line.contains("line 3: `limits.memroy`: unknown field `memroy`"),
        "{line}"
    );
}

#[test]
fn the_variable_takes_the_words_for_on_and_off_and_no_others() {
    let run = |value: &str| {
        ampoule()
            .args(["frobnicate"])
            .env("AMPOULE_JSON", value)
            .output()
            .unwrap()
    };
    for on in ["1", "true", "YES", "on"] {
        assert_one_document(&run(on));
    }
    for off in ["", "0", "false", "No", "off"] {
        let output = run(off);
        assert!(output.stdout.is_empty(), "{off}: {output:?}");
        assert_eq!(output.status.code(), Some(2));
    }
    // A variable with a wrong value was meant to be set: the error about it is JSON.
    let output = run("please");
    assert_fails(&output, "usage.arguments", 2);
    for command in [ampoule(), ampoule_sign()] {
        let mut command = command;
        let output = command.args(["man"]).env("AMPOULE_JSON", "please");
        let output = output.output().unwrap();
        assert_fails(&output, "usage.arguments", 2);
        let message = json_of(&output)["error"]["message"].to_string();
        assert!(
            message.contains("please") && message.contains("1, true"),
            "{message}"
        );
    }
}

/// A mistyped `false` must not switch off a check.
#[test]
fn a_switch_that_is_neither_on_nor_off_is_an_error() {
    for variable in [
        "AMPOULE_INSECURE_PERMISSIONS",
        "AMPOULE_NO_CACHE",
        "AMPOULE_DETERMINISTIC",
    ] {
        let run = |value| {
            let mut command = ampoule();
            command
                .args(["--json", "embed", "x", "--model", "nowhere"])
                .env(variable, value);
            command.output().unwrap()
        };
        assert_fails(&run("fasle"), "usage.arguments", 2);
        assert_fails(&run("false"), "usage.trust", 2);
        assert_fails(&run("on"), "usage.trust", 2);
    }
}

#[test]
fn behind_two_dashes_it_is_no_option() {
    for words in [
        &["frobnicate", "--", "--json"][..],
        &["embed", "--", "--json"],
    ] {
        let output = ampoule().args(words).output().unwrap();
        assert!(output.stdout.is_empty(), "{output:?}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(
            line.starts_with("error: ") && line.lines().count() == 1,
            "{line}"
        );
    }
}

#[test]
fn help_and_version_are_documents_too_where_json_is_asked_for() {
    for way in WAYS {
        for (make, name) in [
            (ampoule as fn() -> Command, "ampoule"),
            (ampoule_sign, "ampoule-sign"),
        ] {
            let version = asked_by(way, make(), &["--version"]);
            assert_one_document(&version);
            assert_eq!(json_of(&version)["name"], name);
            assert_eq!(json_of(&version)["version"], env!("CARGO_PKG_VERSION"));
            for words in [&["--help"][..], &["man", "--help"]] {
                let help = asked_by(way, make(), words);
                assert_one_document(&help);
                assert_eq!(help.status.code(), Some(0));
                let text = json_of(&help)["help"].to_string();
                assert!(text.contains("Usage: "), "{text}");
            }
            let plain = make().arg("--version").output().unwrap();
            let plain = String::from_utf8(plain.stdout).unwrap();
            assert_eq!(plain, format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
        }
    }
}

/// An answer that nobody reads is no failure. An answer that the disk has no room for is one, and is reported on
/// standard error.
#[test]
fn what_cannot_be_written_has_a_status_and_is_no_half_a_document() {
    for way in WAYS {
        for make in [ampoule as fn() -> Command, ampoule_sign] {
            for words in [&["--version"][..], &["man"], &["frobnicate"]] {
                let (reader, writer) = std::io::pipe().unwrap();
                drop(reader);
                let mut closed = make();
                closed.stdout(writer);
                let output = asked_by(way, closed, words);
                let is_wrong = words == ["frobnicate"];
                assert_eq!(output.status.code(), Some(if is_wrong { 2 } else { 0 }));

                let mut full = make();
                full.stdout(File::options().write(true).open("/dev/full").unwrap());
                let output = asked_by(way, full, words);
                assert_eq!(output.status.code(), Some(if is_wrong { 2 } else { 8 }));
                let line = String::from_utf8(output.stderr).unwrap();
                assert!(
                    line.starts_with("error: ") && line.lines().count() == 1,
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn strings_in_json_cannot_steer_the_terminal_and_mean_what_they_did() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    // What the model repeats, and what an error quotes.
    let strange = "a\u{9b}31mb\u{7f}c\u{202e}d\u{2066}e\u{200f}f";
    let stranger = format!("{strange}\u{2028}g\u{85}h");
    let run = |words: &[&str]| {
        let mut command = operator.ampoule(words);
        command.arg("--model").arg(bundle.path());
        command.stdin(Stdio::null()).output().unwrap()
    };
    let answer = run(&["ask", "--json", strange]);
    let refused = run(&["ask", "--json", "x", "--seed", &stranger]);
    for output in [&answer, &refused] {
        let text = str::from_utf8(&output.stdout).unwrap();
        let is_safe = |c: char| {
            c == '\n' || !(c.is_control() || "\u{202e}\u{2028}\u{2066}\u{200f}".contains(c))
        };
        assert!(text.chars().all(is_safe), "{text:?}");
    }
    assert_eq!(json_of(&answer)["text"], strange);
    let text = str::from_utf8(&answer.stdout).unwrap();
    assert!(
        text.contains(r"\u009b31m") && text.contains(r"\u202e"),
        "{text}"
    );
    assert_fails(&refused, "usage.arguments", 2);
}
