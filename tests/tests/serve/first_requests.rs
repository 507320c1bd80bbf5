//! The requests that the manual begins with, run as they stand.

use std::fs;
use std::process::{Command, Output};

use ampoule_tests::{Served, workspace_file};

/// The address in the manual.
const ADDRESS: &str = "127.0.0.1:8080";

/// Returns the first block of this language that has this word.
#[track_caller]
fn block(file: &str, language: &str, word: &str) -> String {
    let text = fs::read_to_string(workspace_file(file)).unwrap();
    let opening = format!("```{language}\n");
    let blocks = text.split(&opening).skip(1);
    let mut blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let found = blocks.find(|block| block.contains(word));
    found
        .unwrap_or_else(|| panic!("{file} has no block of {language} with {word}"))
        .to_owned()
}

/// Runs a script of the manual against this server, from the root of the repository.
#[track_caller]
fn run(interpreter: &str, option: &str, script: &str, served: &Served) -> String {
    assert!(script.contains(ADDRESS), "{script}");
    let script = script.replace(ADDRESS, &served.address().to_string());
    let mut command = Command::new(interpreter);
    command.args([option, &script]).env("NO_PROXY", "127.0.0.1");
    let output: Output = command.current_dir(workspace_file("")).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{told}");
    printed
}

#[test]
fn the_first_requests_of_the_manual_are_answered_as_it_says() {
    let served = Served::built_in();
    let manual = "docs/serve/README.md";
    let answer = "A blue square, a red circle and a yellow star.";
    let text = fs::read_to_string(workspace_file(manual)).unwrap();
    assert!(text.contains(answer));
    let by_curl = run("sh", "-c", &block(manual, "sh", "curl"), &served);
    assert!(by_curl.contains(answer), "{by_curl}");

    let python = workspace_file("target/clients/python/bin/python");
    assert!(python.exists(), "run `cargo xtask setup`");
    let script = block(manual, "python", "OpenAI");
    let by_python = run(python.to_str().unwrap(), "-c", &script, &served);
    assert!(by_python.to_lowercase().contains("yes"), "{by_python}");
}
