//! The drills of `docs/operate/keys.md`, as a shell runs them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use ampoule_signing::{Bundle, TrustStore};
use ampoule_tests::{Desk, Publisher, ampoule, workspace_file};

/// Returns the listings from a heading to the document's end.
fn listings<'t>(text: &'t str, heading: &str) -> Vec<&'t str> {
    let (_, below) = text.split_once(heading).unwrap();
    (below.split("```").skip(1).step_by(2))
        .map(|listing| listing.strip_prefix("sh\n").unwrap())
        .collect()
}

#[test]
fn the_drills_of_the_security_policy_do_what_they_say() {
    let guide = std::fs::read_to_string(workspace_file("docs/operate/keys.md")).unwrap();
    let mut script = String::new();
    for listing in listings(&guide, "\n# Drills\n") {
        for command in listing.replace("\\\n", " ").lines() {
            // The shell's `-e` lets a failure pass after `!`, and passes over its success.
            match command.strip_prefix("! ") {
                Some(refused) => writeln!(script, "if {refused}; then exit 99; fi"),
                None => writeln!(script, "{command}"),
            }
            .unwrap();
        }
    }
    assert!(script.lines().count() > 30, "{script}");

    let desk = Desk::new();
    // What Acme is about to publish: a real component, and a manifest for it.
    let acme = Publisher::new("acme");
    let bundle = acme.every_task().named("minilm").write();
    let envelope = Bundle::open(bundle.path()).unwrap().envelope().clone();
    std::fs::create_dir(desk.path("minilm")).unwrap();
    std::fs::write(desk.path("minilm/manifest.json"), envelope.payload()).unwrap();
    let component = "component.wasm";
    std::fs::copy(
        bundle.path().join(component),
        desk.path("minilm").join(component),
    )
    .unwrap();
    let program = ampoule();
    let folder = Path::new(program.get_program()).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let output = Command::new("/bin/sh")
        .current_dir(desk.path(""))
        .args(["-e", "-u", "-x", "-c", &script])
        .env("PATH", path)
        .env("AMPOULE_TRUST", "trust")
        .env("AMPOULE_SIGN_PASSWORD", "a password for all of them")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.matches("(trust.revoked)").count(), 1, "{said}");

    let trust = TrustStore::open(&desk.path("trust")).unwrap();
    assert_eq!(trust.root().unwrap().version, 2);
    assert_eq!(trust.revocations().unwrap().version(), 2);
}
