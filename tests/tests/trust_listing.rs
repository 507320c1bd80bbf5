//! The operator's guide, as a shell runs it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::Path;
use std::process::Command;

use ampoule_tests::{Desk, Publisher, ampoule, succeeds, workspace_file};
use serde_json::json;

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
    let program = ampoule();
    let folder = Path::new(program.get_program()).parent().unwrap();
    let output = Command::new("/bin/sh")
        .current_dir(desk.path(""))
        .args(["-e", "-u", "-c", &commands])
        .env("PATH", folder)
        .env("AMPOULE_TRUST", "trust")
        .output()
        .unwrap();
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
