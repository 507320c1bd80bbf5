//! Holds doc comments to the first rule of `CONTRIBUTING.md`: none opens with *What*, *Whether* or their like.

use crate::rust_files;

/// Words that open no doc comment, and no line of one.
const FORBIDDEN: [&str; 9] = [
    "What", "Whether", "How", "Who", "Whom", "Where", "Why", "The same", "And",
];

#[test]
fn no_doc_comment_opens_with_a_question_word() {
    let mut found = Vec::new();
    for path in rust_files::below(&rust_files::root()) {
        let name = rust_files::name(&path);
        let source = std::fs::read_to_string(&path).unwrap();
        found.extend(forbidden_lines(&source).map(|(line, text)| format!("{name}:{line}: {text}")));
    }
    assert!(
        found.is_empty(),
        "open these with a verb or a concrete noun:\n{}",
        found.join("\n")
    );
}

/// The lines of doc comments that open with a forbidden word, counted from one.
fn forbidden_lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    source
        .lines()
        .enumerate()
        .filter(|(_, line)| opens_badly(line))
        .map(|(index, line)| (index + 1, line.trim()))
}

fn opens_badly(line: &str) -> bool {
    let line = line.trim_start();
    let text = line
        .strip_prefix("/// ")
        .or_else(|| line.strip_prefix("//! "));
    text.is_some_and(|text| {
        FORBIDDEN.iter().any(|word| {
            let rest = text.strip_prefix(word);
            rest.is_some_and(|rest| rest.starts_with(' '))
        })
    })
}

#[test]
fn a_question_word_is_found_at_the_start_of_a_doc_comment_and_nowhere_else() {
    let source = "//! What this is.\n\n    /// The same again.\n/// Whatever comes.\n// Why: a remark.\n/// Ends so.";
    let found: Vec<_> = forbidden_lines(source).collect();
    assert_eq!(
        found,
        [(1, "//! What this is."), (3, "/// The same again.")]
    );
}
