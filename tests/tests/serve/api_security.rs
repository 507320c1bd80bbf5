//! `docs/operate/API_SECURITY.md`, whose listings are run and whose answers are compared.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use ampoule_tests::{Served, ampoule, workspace_file};
use serde_json::Value;

const GUIDE: &str = "docs/operate/API_SECURITY.md";
/// The address that the guide's server has.
const ADDRESS: &str = "127.0.0.1:8080";
/// The command that starts the server, which the test starts itself on a free port.
const START: &str = "ampoule serve --config ampoule.toml --listen 127.0.0.1:8080 &";

/// Returns the listings of the guide: each one's language and text.
fn listings(guide: &str) -> Vec<(&str, &str)> {
    let listings = guide.split("```").skip(1).step_by(2);
    listings
        .map(|listing| listing.split_once('\n').unwrap())
        .collect()
}

/// A shell's script of these listings. A command that has to fail begins with `!`.
fn script(listings: &[&str]) -> String {
    let mut script = "set -eu\n".to_owned();
    for command in listings.iter().flat_map(|listing| listing.lines()) {
        // The shell's `-e` passes over the success of what stands behind `!`.
        match command.strip_prefix("! ") {
            Some(refused) => writeln!(script, "if {refused}; then exit 99; fi").unwrap(),
            None => writeln!(script, "{command}").unwrap(),
        }
    }
    script
}

/// Runs a script in a folder, and returns its output.
#[track_caller]
fn run(folder: &Path, script: &str) -> String {
    let program = ampoule();
    let programs = Path::new(program.get_program()).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("/bin/bash")
        .current_dir(folder)
        .args(["-c", script])
        .env("PATH", format!("{}:{path}", programs.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Replaces every number, such as the seconds of a wait.
fn without_numbers(body: &Value) -> String {
    let text = body.to_string();
    let mut shown = String::new();
    for c in text.chars() {
        if !c.is_ascii_digit() {
            shown.push(c);
        } else if !shown.ends_with('#') {
            shown.push('#');
        }
    }
    shown
}

#[test]
fn the_guide_to_keys_and_tokens_does_what_it_says() {
    let guide = std::fs::read_to_string(workspace_file(GUIDE)).unwrap();
    let listings = listings(&guide);
    let folder = tempfile::tempdir().unwrap();
    let configuration = listings
        .iter()
        .find(|(language, text)| *language == "toml" && text.contains("[[auth.jwt]]"));
    std::fs::write(folder.path().join("ampoule.toml"), configuration.unwrap().1).unwrap();
    let shell: Vec<&str> = listings
        .iter()
        .filter(|(language, _)| *language == "sh")
        .map(|(_, text)| *text)
        .collect();
    let start = shell.iter().position(|text| text.contains(START)).unwrap();
    let (before, after) = shell.split_at(start);
    // What the second half needs of the first.
    let keep = "declare -p KEY WATCHER SLOW > variables\n";
    run(folder.path(), &(script(before) + keep));

    let mut command = ampoule();
    command.current_dir(folder.path());
    command.args(["--config", "ampoule.toml"]);
    let served = Served::listening(&mut command, &[]);
    let address = served.address().to_string();
    let there = |script: String| script.replace(START, "").replace(ADDRESS, &address);
    let variables = std::fs::read_to_string(folder.path().join("variables")).unwrap();
    let key = |name: &str| {
        let (_, rest) = variables.split_once(&format!("{name}=\"")).unwrap();
        format!("Bearer {}", rest.split_once('"').unwrap().0)
    };
    let mut families = 0;
    for (language, text) in &listings {
        if *language != "http" {
            continue;
        }
        for case in text.trim().split("\n\n") {
            let (request, body) = case.split_once('\n').unwrap_or((case, "null"));
            let [method, path, status] = request.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{request}");
            };
            assert_eq!(method, "GET");
            let authorization = match status {
                "401" => String::new(),
                "403" => key("WATCHER"),
                _ => key("SLOW"),
            };
            let ask = || served.get_with(path, &[("authorization", &authorization)]);
            if status == "429" {
                ask();
            }
            let answer = ask();
            assert_eq!(answer.status.to_string(), status, "{request}");
            let expected: Value = serde_json::from_str(body).unwrap();
            let (found, expected) = (without_numbers(&answer.json()), without_numbers(&expected));
            assert_eq!(found, expected, "{request}: {}", answer.text());
            families += 1;
        }
    }
    assert_eq!(families, 15);
    let script = script(after);
    assert!(script.contains(START) && script.contains("then exit 99"));
    run(folder.path(), &format!(". ./variables\n{}", there(script)));
}
