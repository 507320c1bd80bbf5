//! Tenants share nothing but a bound.

use ampoule_answers::{Answers, Bounds};

use crate::{MODEL, find, keep, question};

#[test]
fn an_answer_is_found_by_the_tenant_that_asked_and_by_nobody_else() {
    let answers = Answers::in_memory(Bounds::default()).unwrap();
    let (acme, other) = (
        answers.of_tenant("acme").unwrap(),
        answers.of_tenant("acme2").unwrap(),
    );
    assert!(keep(&acme, "text", b"answer"));
    assert_eq!(find(&acme, "text").unwrap(), b"answer");
    assert_eq!(
        find(&answers.of_tenant("acme").unwrap(), "text").unwrap(),
        b"answer"
    );
    assert!(find(&other, "text").is_none());
    let theirs = question(&acme, "text");
    assert_ne!(theirs, question(&other, "text"));
    assert!(
        other.find(&theirs).is_none(),
        "not even by the hash of the other's request"
    );
    assert!(keep(&other, "text", b"another"));
    assert_eq!(find(&acme, "text").unwrap(), b"answer");
}

#[test]
fn a_request_to_another_model_or_with_another_part_is_another_request() {
    let answers = Answers::in_memory(Bounds::default()).unwrap();
    let acme = answers.of_tenant("acme").unwrap();
    assert!(keep(&acme, "text", b"answer"));
    for other in [
        acme.question([8; 32]).part(b"text").finish(),
        acme.question(MODEL).part(b"tex").part(b"t").finish(),
        acme.question(MODEL).part(b"text").part(b"").finish(),
        acme.question(MODEL).part(b"Text").finish(),
    ] {
        assert!(acme.find(&other).is_none());
    }
    assert_eq!(answers.counts().unreadable, 0);
}

#[test]
fn nothing_of_a_tenant_or_an_answer_is_shown() {
    let answers = Answers::in_memory(Bounds::default()).unwrap();
    let acme = answers.of_tenant("acme").unwrap();
    assert!(keep(&acme, "text", b"answer"));
    let building = acme.question(MODEL).part(b"text");
    let shown = format!("{answers:?} {acme:?} {building:?}");
    for secret in ["acme", "text", "answer:", "[7, 7"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
