//! The built-in model answers as its card says, and the evaluation can tell right from wrong.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use ampoule_tests::{
    EvaluatedFiles, EvaluationResults, Extent, Question, ScoreTable, block_on, built_in,
    evaluation_questions, evaluation_sample, workspace_file,
};

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
            "existence",
            "yes",
            "The stars are red and blue, so yes.",
            "There is no star, so no.",
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
            "count",
            "no",
            "The star is red: no blue stars.",
            "The star is blue: one blue star.",
        ),
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

#[test]
fn the_answers_that_the_questions_came_with_are_all_right() {
    let table = asked(&evaluation_questions(), |question| question.answer.clone());
    assert_eq!(table.misses(Extent::Whole), Vec::<String>::new());
    let shown = table.to_markdown();
    let rows: Vec<&str> = shown.lines().skip(2).collect();
    assert!(!rows.is_empty());
    let json = serde_json::to_string(&table).unwrap();
    assert_eq!(serde_json::from_str::<ScoreTable>(&json).unwrap(), table);
    for row in rows {
        assert!(
            row.contains("| 100.0 % |") || row.contains("| F1 1.000 |"),
            "{row}"
        );
    }
}

#[test]
fn a_sample_has_questions_of_every_kind_in_every_set() {
    let kinds = |questions: &[Question]| -> BTreeSet<_> {
        let kind = |question: &Question| (question.set.clone(), question.kind.clone());
        questions.iter().map(kind).collect()
    };
    let all = evaluation_questions();
    for every in [1, 10, 100_000] {
        let sample = evaluation_sample(every);
        assert_eq!(kinds(&sample), kinds(&all), "one in {every}");
        let kinds = kinds(&all).len();
        let expected = all.len() / every;
        let found = sample.len();
        assert!(
            found.abs_diff(expected) <= kinds,
            "{found} of {}",
            all.len()
        );
    }
}

#[test]
fn scores_below_the_bounds_are_told() {
    // One question of each kind in each set, and 600 of one of them.
    let mut questions = evaluation_sample(100_000);
    let is_about =
        |question: &Question, set: &str, kind: &str| question.set == set && question.kind == kind;
    let existence = questions
        .iter()
        .find(|question| is_about(question, "scenes", "existence"));
    let existence = existence.unwrap().clone();
    questions.extend(vec![existence; 599]);
    let with_wrong = |wrong: usize| {
        let mut left = wrong;
        asked(&questions, |question| {
            if left > 0 && is_about(question, "scenes", "existence") {
                left -= 1;
                return String::new();
            }
            question.answer.clone()
        })
    };
    assert_eq!(with_wrong(6).misses(Extent::Whole), Vec::<String>::new());
    assert_eq!(
        with_wrong(7).misses(Extent::Whole),
        ["scenes existence: 0.988 of 600 questions, expected at least 0.990"]
    );
    assert_eq!(with_wrong(13).misses(Extent::Sample), Vec::<String>::new());
    assert_eq!(
        with_wrong(14).misses(Extent::Sample),
        ["scenes existence: 0.977 of 600 questions, expected at least 0.978"]
    );

    // What is not asked is not good enough either, and what has no bound needs one.
    questions.retain(|question| question.kind != "count");
    questions.push(Question {
        set: "photographs".to_owned(),
        ..question("count", "no")
    });
    let misses = asked(&questions, |question| question.answer.clone()).misses(Extent::Whole);
    assert_eq!(
        misses,
        [
            "photographs count: no bound is set",
            "scenes count: not asked",
            "combinations count: not asked",
            "phrasings count: not asked",
            "renderer count: not asked"
        ]
    );
}

/// Makes the table of `questions` with the answers of `answer`.
fn asked(questions: &[Question], mut answer: impl FnMut(&Question) -> String) -> ScoreTable {
    let mut table = ScoreTable::default();
    for question in questions {
        table.add(question, &answer(question));
    }
    table
}

/// Asks one question in twelve, of every set and kind, in some forty seconds. `cargo xtask eval` asks all.
#[test]
fn the_built_in_model_answers_a_sample_of_its_evaluation() {
    let (host, bundle) = built_in();
    let model = block_on(host.load_bundle(bundle)).unwrap();
    let table = asked(&evaluation_sample(12), |question| {
        block_on(question.ask(&model)).unwrap()
    });
    let misses = table.misses(Extent::Sample);
    assert!(
        misses.is_empty(),
        "{}\n{}",
        misses.join("\n"),
        table.to_markdown()
    );
}

#[test]
fn the_model_card_tells_what_a_whole_evaluation_of_the_built_in_bundle_found() {
    let results = EvaluationResults::read();
    assert_eq!(
        results.evaluated,
        EvaluatedFiles::now(),
        "the committed results are those of other files; run `cargo xtask eval`, put the table that \
         it prints into guest/models/tiny-vlm/README.md, and commit both"
    );
    assert_eq!(results.table.misses(Extent::Whole), Vec::<String>::new());
    let card = workspace_file("guest/models/tiny-vlm/README.md");
    let card = std::fs::read_to_string(card).unwrap();
    let table = results.table.to_markdown();
    assert!(
        card.contains(&table),
        "guest/models/tiny-vlm/README.md needs this table, as `cargo xtask eval` prints it:\n{table}"
    );
}
