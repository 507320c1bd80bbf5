//! Codes by which guests refuse an input, and what a caller reads for each.
//!
//! A guest chooses its code and its message, and both may repeat the request. So a caller gets the codes of this table
//! alone, with the words that stand here.

/// The code and the words for a guest's refusal by a code of its own.
const OTHER: (&str, &str) = (
    "input.refused",
    "the model refused the input for a reason of its own; its publisher can tell which inputs it takes",
);

const REFUSALS: [(&str, &str); 8] = [
    (
        "input.empty",
        "the model refused the input: there is nothing in it, or in a part of it",
    ),
    (
        "input.image",
        "the model refused the input: a picture is broken, or is none that the model can decode",
    ),
    (
        "input.image-missing",
        "the model refused the input: it has no picture, and the model needs one",
    ),
    (
        "input.option",
        "the model refused the input: it knows no such option, or no such value of an option",
    ),
    (
        "input.role",
        "the model refused the input: the role of a message is none that the model knows",
    ),
    (
        "input.sampling",
        "the model refused the input: it does not choose tokens in the way that the request asks for",
    ),
    (
        "input.stop",
        "the model refused the input: it does not end answers at such stop strings",
    ),
    (
        "input.too-large",
        "the model refused the input: a text or a picture of it is larger than the model reads",
    ),
];

/// Returns the code and the words for a guest's refusal.
pub(crate) fn refusal(code: &str) -> (&'static str, &'static str) {
    let known = REFUSALS.into_iter().find(|(known, _)| *known == code);
    known.unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_a_guest_makes_up_is_not_repeated() {
        assert_eq!(refusal("input.image").0, "input.image");
        for code in ["input.my-secret", "input.image2", "input."] {
            assert_eq!(refusal(code), OTHER, "{code}");
        }
    }
}
