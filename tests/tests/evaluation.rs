//! The built-in model answers as its card says, and the evaluation can tell right from wrong.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use ampoule_tests::{Question, Table, block_on, built_in, evaluation_questions};

fn question(kind: &str, key: &str) -> Question {
    Question {
        set: "scenes".to_owned(),
        image: String::new(),
        kind: kind.to_owned(),
        question: String::new(),
        answer: String::new(),
        key: key.to_owned(),
        majority: None,
        text_only: None,
    }
}

#[test]
fn an_answer_is_right_when_it_says_what_was_asked() {
    for (kind, key, right, wrong) in [
        (
            "existence",
            "yes",
            "Yes, there is a star.",
            "No, there is no star.",
        ),
        (
            "comparison",
            "no",
            "No, the star is smaller.",
            "Yes, the star is larger.",
        ),
        (
            "count",
            "three",
            "There are three stars.",
            "There are two stars.",
        ),
        ("count", "no", "I see no stars.", "I see one star."),
        (
            "attribute",
            "red",
            "The star is red.",
            "The red star is blue.",
        ),
        ("attribute", "circle", "It is a circle.", "It is a cross."),
        (
            "relation",
            "top",
            "The star is at the top.",
            "The star is in the top left.",
        ),
        (
            "relation",
            "left",
            "The star is on the left.",
            "The star is in the top left.",
        ),
        (
            "relation",
            "red star",
            "The red star is higher.",
            "The blue star is higher.",
        ),
        (
            "relation",
            "blue cross",
            "The blue cross is higher than the red star.",
            "The red star is higher than the blue cross.",
        ),
        (
            "relation",
            "yes",
            "Yes, the star is above the cross.",
            "No, the star is below the cross.",
        ),
    ] {
        let question = question(kind, key);
        assert!(
            (question.score(right).f1() - 1.0).abs() < 1e-9,
            "{kind} {key}: {right}"
        );
        assert!(
            question.score(wrong).f1().abs() < 1e-9,
            "{kind} {key}: {wrong}"
        );
        assert!(
            question.score("").f1().abs() < 1e-9,
            "{kind} {key}: nothing"
        );
    }
}

#[test]
fn a_caption_is_as_right_as_its_things_are() {
    let two_stars = question("caption", "red star; red star; small blue cross");
    for (caption, f1) in [
        ("A blue cross, a red star and a red star.", 1.0),
        ("A red star and a blue cross.", 0.8),
        ("A red cross and a blue star.", 0.0),
        ("There are no shapes.", 0.0),
        (
            "A red star, a red star, a red star, a red star and a blue cross.",
            0.75,
        ),
    ] {
        let found = two_stars.score(caption).f1();
        assert!((found - f1).abs() < 1e-9, "{caption}: {found}");
    }
    let nothing = question("caption", "");
    assert!((nothing.score("There are no shapes.").f1() - 1.0).abs() < 1e-9);
    assert!(nothing.score("A red star.").f1().abs() < 1e-9);
}

/// One question in twelve, of every set and kind. The whole evaluation is `cargo xtask eval`.
#[test]
fn the_built_in_model_answers_a_sample_of_its_evaluation() {
    let (host, bundle) = built_in();
    let table = block_on(async {
        let model = host.load_bundle(bundle).await.unwrap();
        let mut table = Table::default();
        for question in evaluation_questions().iter().step_by(12) {
            let answer = question.ask(&model).await.unwrap();
            table.add(question, &answer);
        }
        table
    });
    let shown = table.to_markdown();
    for (kind, least) in [
        ("existence", 0.97),
        ("attribute", 0.97),
        ("count", 0.92),
        ("relation", 0.92),
        ("caption", 0.95),
    ] {
        let found = table.score("scenes", kind).unwrap();
        assert!(found >= least, "{kind}: {found:.3}\n{shown}");
    }
    for set in ["phrasings", "renderer"] {
        let found = table.score_of_set(set);
        assert!(found >= 0.9, "{set}: {found:.3}\n{shown}");
    }
    let unseen_pairs = table.score("combinations", "caption").unwrap();
    assert!(unseen_pairs >= 0.9, "{unseen_pairs:.3}\n{shown}");
}
