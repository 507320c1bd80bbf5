//! A question that only `yes` answers.

use std::io::{self, BufRead as _, Read as _, Write as _};

/// Longer than `yes`; no more of an answer is read.
const MAX_ANSWER_BYTES: u64 = 64;

/// Asks `question` on standard error, beside an answer that may be JSON, and returns true only after a `yes` on
/// standard input.
#[must_use]
pub fn is_answered_yes(question: &str) -> bool {
    let mut line = String::new();
    let asked = write!(io::stderr(), "{question} Type `yes`: ")
        .and_then(|()| io::stderr().flush())
        .and_then(|()| {
            let mut answer = io::stdin().lock().take(MAX_ANSWER_BYTES);
            answer.read_line(&mut line)
        });
    asked.is_ok() && line.trim() == "yes"
}
