//! Every command of `ampoule-sign` has help with an example that works, JSON, and one line for a wrong command line.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::process::Command;

use ampoule_command_line::exit_code_for;
use ampoule_signing::{SecretKey, Timestamp};
use serde_json::Value;

use crate::command_line::{PASSWORD, answer, assert_refused, json, run};
use crate::commands::{self, Words};
use crate::fixture::FILES;

/// A digest or a key's id in an example, which has no room for all of it.
const CUT: &str = "4f3c…";

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
    for command in commands::all() {
        let commands::Command {
            words,
            help,
            example,
        } = command;
        assert!(help.contains("--json"), "{help}");
        assert!(!help.contains(PASSWORD), "help shows no password");
        let examples = command.examples();
        assert!(
            examples.iter().any(|example| example.starts_with(words)),
            "{words:?} is not in its own example: {example}"
        );
    }
    assert!(
        commands::all()
            .iter()
            .any(|its| its.words == ["root", "sign"])
    );
    assert!(answer(dir.path(), &["--version"]).starts_with("ampoule-sign "));
}

#[test]
fn every_command_refuses_what_it_does_not_know_in_one_line_or_one_document() {
    let dir = tempfile::tempdir().unwrap();
    for command in commands::all() {
        let mut words: Vec<&str> = command.words.iter().map(|word| &**word).collect();
        words.push("--nonsense");
        assert_refused(dir.path(), &words, "usage.arguments", 2);
    }
}

/// In an empty directory most commands are refused, each with its own code.
#[test]
fn every_command_ends_with_the_status_of_its_error_and_one_document() {
    let mut refused = BTreeSet::new();
    for example in commands::all().iter().flat_map(commands::Command::examples) {
        let dir = tempfile::tempdir().unwrap();
        let example = spelt_out(&example, &"0".repeat(64));
        let output = run(dir.path(), &with_json(&example));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{example:?}");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let status = match document["error"]["code"].as_str() {
            Some(code) => {
                let status = exit_code_for(code);
                refused.insert(status);
                status
            }
            None => 0,
        };
        assert_eq!(output.status.code(), Some(status.into()), "{document}");
    }
    // Nothing is there to be verified or read; and every example parses.
    assert_eq!(refused, BTreeSet::from([3, 8]));
}

/// The work of a publisher, from the first key to the next root: each example needs the files of others.
#[test]
fn every_example_succeeds_beside_the_others_and_answers_in_json() {
    let place = || {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("minilm")).unwrap();
        std::fs::write(dir.path().join("minilm/component.wasm"), FILES[0].1).unwrap();
        dir
    };
    let (groups, commands): (Vec<_>, Vec<_>) = commands::all()
        .iter()
        .partition(|command| command.below().next().is_some());
    let (first, below): (Vec<_>, Vec<_>) = commands
        .into_iter()
        .partition(|command| command.words.len() == 1);
    let dir = place();
    run_all(dir.path(), &first);
    // A group's example is a story of its own. That of the program begins with nothing, the others with
    // what the program's own commands have made.
    for group in groups {
        let story = place();
        if !group.words.is_empty() {
            let copied = Command::new("cp")
                .args(["-a", "-T"])
                .args([dir.path(), story.path()])
                .status()
                .unwrap();
            assert!(copied.success());
        }
        let mut waiting = vec![group.examples().into()];
        assert_eq!(pass(story.path(), &mut waiting), [] as [String; 0]);
    }
    run_all(dir.path(), &below);
}

/// Runs the examples of these commands until all have succeeded, in whatever order they can.
fn run_all(dir: &Path, commands: &[&commands::Command]) {
    let mut waiting: Vec<VecDeque<_>> = commands
        .iter()
        .map(|command| command.examples().into())
        .collect();
    while !waiting.is_empty() {
        let lines = |waiting: &[VecDeque<_>]| waiting.iter().map(VecDeque::len).sum::<usize>();
        let before = lines(&waiting);
        let refusals = pass(dir, &mut waiting);
        assert!(lines(&waiting) < before, "{refusals:#?}");
    }
}

/// Runs examples, each as far as it goes, keeps the lines that are left, and says why they are.
fn pass(dir: &Path, examples: &mut Vec<VecDeque<Words>>) -> Vec<String> {
    let mut refusals = Vec::new();
    examples.retain_mut(|lines| {
        while let Some(line) = lines.front() {
            let Some(line) = spelt_out_here(dir, line) else {
                refusals.push(format!("{line:?}: what it cuts short is not there"));
                return true;
            };
            make_keys(dir, &line);
            let output = run(dir, &with_json(&line));
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line:?}");
            let document: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(output.status.success(), document["error"].is_null());
            if !output.status.success() {
                refusals.push(format!("{line:?}: {document}"));
                return true;
            }
            lines.pop_front();
        }
        false
    });
    refusals
}

fn with_json(example: &[String]) -> Vec<&str> {
    let words = example.iter().map(|word| &**word);
    words.chain(["--json"]).collect()
}

/// An example with what it cuts short: the digest of the signed document that it names
/// (`1.root.dsse.json`), else a key's id. None where the document is not there yet.
fn spelt_out_here(dir: &Path, example: &[String]) -> Option<Words> {
    let signed = example.iter().find_map(|word| {
        let (_, kind) = word.strip_suffix(".dsse.json")?.split_once('.')?;
        Some((kind, word))
    });
    let found = match signed {
        _ if !example.iter().any(|word| word.contains(CUT)) => Value::from(""),
        Some((_, document)) if !dir.join(document).exists() => return None,
        Some((kind, document)) => {
            json(dir, &[kind, "inspect", document])[format!("{kind}_digest")].clone()
        }
        None => {
            make_keys(dir, &["eve.key".to_owned()]);
            json(dir, &["pubkey", "eve.key"])["key_id"].clone()
        }
    };
    Some(spelt_out(example, found.as_str().unwrap()))
}

/// An example with a digest in full, and with its times ahead: some day they will have passed.
fn spelt_out(example: &[String], digest: &str) -> Words {
    let words = example.iter().map(|word| match word.parse::<Timestamp>() {
        Ok(_) => "2099-01-01T00:00:00Z".to_owned(),
        Err(_) => word.replace(CUT, digest),
    });
    words.collect()
}

/// Makes the keys that an example reads and that are not there.
fn make_keys(dir: &Path, example: &[String]) {
    if example[0] == "keygen" {
        return;
    }
    for word in example {
        let path = dir.join(word);
        if (word.ends_with(".key") || word.ends_with(".pub")) && !path.exists() {
            let key = SecretKey::generate().unwrap();
            key.write_file(&path.with_extension("key"), None).unwrap();
            key.public_key()
                .write_file(&path.with_extension("pub"))
                .unwrap();
        }
    }
}
