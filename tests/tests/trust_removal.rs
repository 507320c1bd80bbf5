//! Removal of a key or a publisher, and the rules that an operator keeps.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use ampoule_tests::{Desk, Publisher, assert_fails, succeeds};
use serde_json::json;

#[test]
fn after_a_publisher_is_removed_no_model_of_it_loads() {
    let desk = Desk::new();
    let acme = Publisher::new("acme");
    desk.key_file("acme.pub", acme.public_key());
    let bundle = acme.every_task().write();
    let add = ["add", "--publisher", "acme", "acme.pub"];
    let add_model = [&add[..], &["--name", "test"]].concat();
    succeeds(&desk.trust(&add));
    succeeds(&desk.trust(&add_model));
    assert_eq!(desk.verdict(&bundle), "trusted");
    succeeds(&desk.trust(&["remove", "--publisher", "acme"]));
    assert_eq!(desk.verdict(&bundle), "trust.unknown-key");
    assert_eq!(
        succeeds(&desk.trust(&["list"]))["delegations"],
        json!([]),
        "no rule is left"
    );
    let again = desk.trust(&["remove", "--publisher", "acme"]);
    assert_fails(&again, "usage.nobody-trusted", 2);
    // One rule of several goes by its pattern.
    succeeds(&desk.trust(&add));
    succeeds(&desk.trust(&add_model));
    succeeds(&desk.trust(&["remove", "acme/*"]));
    assert_eq!(desk.verdict(&bundle), "trusted");
    assert_fails(
        &desk.trust(&["show", "acme/other"]),
        "usage.nobody-trusted",
        2,
    );
}

#[test]
fn a_new_key_in_place_of_a_stolen_one_gets_no_more_than_the_old_had() {
    let desk = Desk::new();
    let (stolen, new) = (Publisher::new("acme"), Publisher::new("acme"));
    desk.key_file("stolen.pub", stolen.public_key());
    desk.key_file("new.pub", new.public_key());
    let add = |options: &[&str]| {
        succeeds(&desk.trust(&[&["add", "--publisher", "acme"], options].concat()))
    };
    let id = stolen.public_key().key_id().to_string();
    add(&["stolen.pub", "--cap-memory", "32MiB"]);
    add(&["stolen.pub", "--name", "guarded"]);
    succeeds(&desk.trust(&["remove", &id]));
    let added = add(&["new.pub"]);
    assert_eq!(added["caps"]["memory"], "32MiB");
    // The test's bundle asks for more.
    assert_eq!(desk.verdict(&new.every_task().write()), "admission.limit");
    // Nor does it sign the model that has a rule of its own.
    let guarded = new.every_task().set("/name", json!("guarded")).write();
    assert_eq!(desk.verdict(&guarded), "trust.model");
}

#[test]
fn a_mistyped_removal_changes_nothing() {
    let desk = Desk::new();
    let acme = Publisher::new("acme");
    desk.key_file("acme.pub", acme.public_key());
    let stranger = Publisher::new("acme").public_key().key_id().to_string();
    // Where there is no trust directory, none is made.
    assert_fails(&desk.trust(&["remove", &stranger]), "trust.missing", 3);
    assert!(!desk.path("trust").exists());
    succeeds(&desk.trust(&["add", "--publisher", "acme", "acme.pub"]));
    let file = desk.path("trust/trust.toml");
    let text = format!("# ask Ann\n{}", std::fs::read_to_string(&file).unwrap());
    std::fs::write(&file, &text).unwrap();
    for (what, code) in [
        (&["remove", &stranger][..], "usage.no-such-key"),
        (&["remove", "acme/other"], "usage.nobody-trusted"),
        (&["remove", "--publisher", "acne"], "usage.nobody-trusted"),
        (&["remove", "acme"], "usage.arguments"),
    ] {
        assert_fails(&desk.trust(what), code, 2);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "{what:?}");
    }
}
