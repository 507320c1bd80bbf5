//! Answers of guests, held to what the contract in `wit/` says of them.
//!
//! An answer that breaks it is `guest.answer`. A caller may then rely on what the fields' documentation promises.

use ampoule_sandbox::imports::bindings::exports::ampoule::model::image_classification::Label;
use ampoule_sandbox::imports::bindings::exports::ampoule::model::text_generation::Finish;
use ampoule_sandbox::{Error, Result};

use crate::tasks::answer::Usage;

/// Characters of one label. A dictionary's entry has fewer.
const MAX_LABEL_CHARS: usize = 1_024;

/// Bytes of the word that says how a generation ended.
const MAX_REASON_BYTES: usize = 64;

fn broken<T>(reason: String) -> Result<T> {
    Err(Error::Answer { reason })
}

/// Checks that there is one of something for each input.
pub(crate) fn check_count(what: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    broken(format!("{expected} {what} were expected, {found} came"))
}

/// Returns the dimensions of an embedding answer whose values have the shape `[count, dimensions]` and are
/// numbers: NaN and infinities cannot be compared or written as JSON.
pub(crate) fn check_vectors(dimensions: u32, values: &[f32], count: usize) -> Result<usize> {
    let dimensions = dimensions as usize;
    if dimensions.checked_mul(count) != Some(values.len()) {
        return broken(format!(
            "{count} vectors of {dimensions} dimensions were announced, {} values came",
            values.len()
        ));
    }
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return broken(format!(
            "a finite number was expected in vector {}, counted from 0, {} came",
            at / dimensions,
            values[at]
        ));
    }
    Ok(dimensions)
}

/// Checks what a request cost that writes no text.
pub(crate) fn check_usage(usage: Usage) -> Result<Usage> {
    if usage.output_tokens != 0 {
        return broken(format!(
            "an embedding writes no tokens, and {} were said to be written",
            usage.output_tokens
        ));
    }
    Ok(usage)
}

/// Checks that labels are as many as were asked for at most, each likely from 0 to 1, and the likeliest first.
/// Two may have one name: data sets have such classes.
pub(crate) fn check_labels(labels: &[Label], top_k: u32) -> Result<()> {
    if labels.len() > top_k as usize {
        return broken(format!(
            "{} labels came, {top_k} were asked for",
            labels.len()
        ));
    }
    let mut before = 1.0;
    for Label { name, score } in labels {
        if !(0.0..=1.0).contains(score) {
            return broken(format!("a score from 0 to 1 was expected, {score} came"));
        }
        if *score > before {
            return broken(format!(
                "the likeliest label was expected first, and {score} came after {before}"
            ));
        }
        before = *score;
        if name.chars().nth(MAX_LABEL_CHARS).is_some() {
            return broken(format!(
                "a label of at most {MAX_LABEL_CHARS} characters was expected, one of {} bytes came",
                name.len()
            ));
        }
    }
    Ok(())
}

/// Checks how a generation says that it ended, which was to write so many tokens at most.
pub(crate) fn check_finish(finish: &Finish, max_output_tokens: u32) -> Result<()> {
    let reason = &finish.reason;
    let is_word = (1..=MAX_REASON_BYTES).contains(&reason.len())
        && reason
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b));
    if !is_word {
        return broken(format!(
            "a generation ends with a word of at most {MAX_REASON_BYTES} lower-case letters, such as \
             `stop`, and one of {} bytes came",
            reason.len()
        ));
    }
    let written = finish.usage.output_tokens;
    if written > max_output_tokens {
        return broken(format!(
            "at most {max_output_tokens} tokens were to be written, and {written} were"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ampoule_sandbox::imports::bindings::ampoule::model::types;

    use super::*;

    fn labels(scores: &[f32]) -> Vec<Label> {
        let labels = scores.iter().map(|score| Label {
            name: "a".to_owned(),
            score: *score,
        });
        labels.collect()
    }

    #[test]
    fn scores_are_shares_with_the_likeliest_first() {
        for good in [&[][..], &[0.0], &[1.0, 1.0, 0.5, 0.5, -0.0], &[0.25]] {
            assert!(check_labels(&labels(good), 5).is_ok(), "{good:?}");
        }
        let tiny = f32::EPSILON;
        for bad in [
            &[42.0][..],
            &[-1.0],
            &[-tiny],
            &[1.0 + tiny],
            &[0.5, 0.25, 0.5],
            &[0.5, 0.5 + tiny],
            &[f32::NAN],
            &[0.5, f32::NAN],
            &[f32::INFINITY],
            &[0.1; 6],
        ] {
            assert!(check_labels(&labels(bad), 5).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_label_is_as_long_as_a_person_reads() {
        let of = |length| Label {
            name: "é".repeat(length),
            score: 0.5,
        };
        assert!(check_labels(&[of(MAX_LABEL_CHARS)], 1).is_ok());
        assert!(check_labels(&[of(MAX_LABEL_CHARS + 1)], 1).is_err());
    }

    #[test]
    fn a_generation_ends_with_a_word_and_within_its_tokens() {
        let finish = |reason: &str, output_tokens| Finish {
            reason: reason.to_owned(),
            usage: types::Usage {
                input_tokens: 0,
                output_tokens,
            },
        };
        for reason in ["stop", "stop-string", "length", "content_filter", "a.b"] {
            assert!(check_finish(&finish(reason, 3), 3).is_ok(), "{reason}");
        }
        for reason in ["", "Stop", "stop\n", "\u{1b}[2J", "é", &"a".repeat(65)] {
            assert!(check_finish(&finish(reason, 3), 3).is_err(), "{reason:?}");
        }
        assert!(check_finish(&finish("length", 4), 3).is_err());
    }
}
