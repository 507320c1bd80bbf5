//! Listings of the documents for operators and publishers, as a shell runs them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::Path;
use std::process::Command;

use ampoule::Task;
use ampoule_tests::{Desk, Publisher, ampoule, succeeds, workspace_file};
use serde_json::json;

/// Makes a shell that runs commands at the desk, with the programs of this repository.
fn shell(desk: &Desk, commands: &str) -> Command {
    let program = ampoule();
    let folder = Path::new(program.get_program()).parent().unwrap();
    let mut shell = Command::new("/bin/sh");
    (shell.current_dir(desk.path("")))
        .args(["-e", "-u", "-c", commands])
        .env("PATH", folder);
    shell
}

#[test]
fn the_listing_of_the_operators_guide_does_what_it_says() {
    let desk = Desk::new();
    let [ann, bob, eve, beta] = std::array::from_fn(|_| Publisher::new("acme"));
    for (name, key) in [("ann", &ann), ("bob", &bob), ("eve", &eve), ("beta", &beta)] {
        desk.key_file(&format!("{name}.pub"), key.public_key());
    }
    let guide = std::fs::read_to_string(workspace_file("docs/operate/trust.md")).unwrap();
    let listing = guide.split("```").nth(1).unwrap();
    let commands = listing.strip_prefix("sh\n").unwrap();
    assert_eq!(commands.matches("KEYID").count(), 1);
    let commands = commands.replace("KEYID", &eve.public_key().key_id().to_string());
    let shell = shell(&desk, &commands)
        .env("AMPOULE_TRUST", "trust")
        .output();
    let output = shell.unwrap();
    assert!(output.status.success(), "{output:?}");

    let listed = succeeds(&desk.trust(&["list"]));
    assert_eq!(listed["caps"], json!({ "init_timeout": "30s" }));
    let rules = listed["delegations"].as_array().unwrap();
    assert_eq!(rules.len(), 1, "{listed}");
    assert_eq!(rules[0]["models"], json!(["acme/*"]));
    assert_eq!(rules[0]["threshold"], 2);
    assert_eq!(
        rules[0]["caps"],
        json!({ "memory": "256MiB", "timeout": "2s" })
    );
    let mut ids: Vec<String> = [&ann, &bob]
        .map(|key| key.public_key().key_id().to_string())
        .into();
    ids.sort();
    let keys = rules[0]["keys"].as_array().unwrap();
    let found: Vec<&str> = keys.iter().map(|key| key["id"].as_str().unwrap()).collect();
    assert_eq!(found, ids);
    let ends = keys.iter().filter(|key| key["not_after"].is_string());
    assert_eq!(ends.count(), 1, "bob's");
}

/// Finds the shell listings below a heading of the document.
fn listings(document: &str, heading: &str) -> String {
    let text = std::fs::read_to_string(workspace_file(document)).unwrap();
    let (_, below) = text.split_once(heading).unwrap();
    let listings = below.split("```").skip(1).step_by(2);
    listings
        .filter_map(|listing| listing.strip_prefix("sh\n"))
        .collect()
}

#[test]
fn the_listings_about_publishing_do_what_they_say() {
    for (document, heading) in [
        ("docs/publish.md", "# Publishing a model\n"),
        ("README.md", "\n## Publish\n"),
    ] {
        let desk = Desk::new();
        let acme = Publisher::new("acme");
        let bundle = acme.every_task().write();
        std::fs::create_dir(desk.path("my-model")).unwrap();
        let component = "my-model/component.wasm";
        std::fs::copy(bundle.path().join("component.wasm"), desk.path(component)).unwrap();
        // One for each task of this component.
        let tasks: String = (Task::ALL
            .iter()
            .map(|task| format!("--task {} ", task.name())))
        .collect();
        let commands = listings(document, heading).replace("--task text-embedding", &tasks);
        assert!(commands.contains(&tasks), "{commands}");
        let output = shell(&desk, &commands)
            .env("AMPOULE_SIGN_PASSWORD", "a password for all of them")
            .output()
            .unwrap();
        assert!(output.status.success(), "{document}: {output:?}");
        assert!(desk.path("my-model.ampoule").is_file());
    }
}
