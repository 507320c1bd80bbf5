//! A hunt for what callers send: a marked secret in each place of a request, and a search for it in all that the server
//! writes while it says as much as it can.

#[path = "secrets/places.rs"]
mod places;
#[path = "secrets/watched.rs"]
mod watched;

use std::collections::BTreeSet;

use serde_json::json;

use places::{Echo, PANICS, REFUSES, marked};
use watched::Watched;

/// Places at the least. The list is one of requests, and nobody shortens it unseen.
const MIN_PLACES: usize = 100;

#[test]
#[allow(clippy::print_stdout, reason = "a test prints what it counted")]
fn a_secret_in_any_place_of_a_request_turns_up_nowhere() {
    let watched = Watched::start(&[]);
    let places = places::all();
    let names: BTreeSet<&str> = places.iter().map(|place| place.name.as_str()).collect();
    assert_eq!(names.len(), places.len(), "each place has its name");
    assert!(places.len() >= MIN_PLACES, "{} places", places.len());
    let mut leaks = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let secret = watched.secret(number);
        let answer = watched.ask(&place.request, &secret);
        let is_echoed = holds(&answer, &secret);
        match place.echo {
            Echo::Never if is_echoed => leaks.push(format!("{}: the answer", place.name)),
            // The search finds what is there.
            Echo::InAnswer => assert!(is_echoed, "{}: {}", place.name, text(&answer)),
            Echo::Never => {}
        }
    }
    let metrics = watched.metrics();
    let (log, traces) = (watched.whole_log(), watched.traces());
    let (beginning, key) = (watched.beginning().to_owned(), watched.key_secret());
    let secrets: Vec<String> = (0..places.len()).map(|n| watched.secret(n)).collect();
    let rows = watched.into_audited();
    assert!(rows.len() > MIN_PLACES, "{} rows", rows.len());
    let rows = format!("{rows:#?}").into_bytes();
    let all = [
        ("log", &log),
        ("metrics", &metrics),
        ("traces", &traces),
        ("audit log", &rows),
    ];
    for (kind, written) in all {
        assert!(!holds(written, &key), "the key in: {kind}");
        if holds(written, &beginning) {
            let written = text(written).to_lowercase();
            for (place, secret) in places.iter().zip(&secrets) {
                let line = written.lines().find(|line| line.contains(secret));
                let line = line.map(|line| format!("{}: {kind}: {line}", place.name));
                leaks.extend(line);
            }
            leaks.push(format!("a part of a secret: {kind}"));
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    // The server has said as much as it can, of the requests that were meant.
    let log = text(&log);
    for words in [
        "\"TRACE\"",
        "\"DEBUG\"",
        "model.unknown",
        "guest.trap",
        "input.refused",
        "auth.invalid",
        "\"route\":\"unknown\"",
    ] {
        assert!(log.contains(words), "the log lacks {words}");
    }
    println!("{} places, and the secret turned up in none", places.len());
}

#[test]
fn guests_words_are_logged_where_the_operator_asks_for_them() {
    let watched = Watched::start(&["--guest-log"]);
    for (number, model) in [PANICS, REFUSES].into_iter().enumerate() {
        let secret = watched.secret(number);
        let body = json!({"model": model, "input": marked()}).to_string();
        let answer = watched.ask(&places::post("/v1/embeddings", &body), &secret);
        assert!(!holds(&answer, &secret), "{}", text(&answer));
        let log = text(&watched.whole_log());
        let line = log.lines().find(|line| line.contains(&secret));
        let line = line.unwrap_or_else(|| panic!("{model}: {log}"));
        assert!(line.contains("\"target\":\"ampoule::guest\""), "{line}");
    }
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes
        .windows(secret.len())
        .any(|part| part.eq_ignore_ascii_case(secret.as_bytes()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
