//! Patterns of a tokenizer that the publisher's regular expressions and these read in two ways.
//!
//! Python's tokenizers match the patterns of `tokenizer.json` with Oniguruma, the guests' with Rust's `regex`
//! syntax. A pattern that both read, and that splits texts in two ways, would give other ids than its publisher meant.

/// Returns the part of `pattern` that both engines read, and each in its own way; none where they agree.
///
/// | part | in Oniguruma | here |
/// | --- | --- | --- |
/// | `{n,m}+` | once or more of all of it | as many as can be, and none given back |
/// | `^`, `$` | begin and end of each line | begin and end of the text |
/// | `\w`, `\b` | has ² ³ ¹ ¼ ½ ¾, not U+200C and U+200D | the reverse |
/// | `[:alpha:]` and the like | all of Unicode | ASCII |
/// | `\R`, `\X` | a line's end, a grapheme | not read, or another thing |
/// | `\0` with digits | a character by its octal number | not read, or another thing |
pub(crate) fn ambiguous_part(pattern: &str) -> Option<String> {
    let mut letters = pattern.chars().peekable();
    // How many sets `[…]` are open, and whether the last of them has just begun.
    let (mut sets, mut begun) = (0usize, false);
    while let Some(letter) = letters.next() {
        let first_of_set = std::mem::take(&mut begun);
        match letter {
            '\\' => {
                let escaped = letters.next()?;
                if matches!(escaped, 'w' | 'W' | 'b' | 'B' | 'R' | 'X' | '0') {
                    return Some(format!("\\{escaped}"));
                }
                // `\p{L}+` is no repeated brace.
                if matches!(escaped, 'p' | 'P' | 'x' | 'u' | 'k' | 'g')
                    && letters.peek() == Some(&'{')
                {
                    letters.by_ref().find(|letter| *letter == '}');
                }
            }
            '[' if sets > 0 && letters.peek() == Some(&':') => return Some("[:".to_owned()),
            '[' => {
                sets += 1;
                begun = true;
            }
            // A bracket that comes first is a member.
            ']' if !first_of_set => sets = sets.saturating_sub(1),
            '^' if first_of_set => begun = true,
            '^' | '$' if sets == 0 => return Some(letter.to_string()),
            '}' if sets == 0 && letters.peek() == Some(&'+') => return Some("}+".to_owned()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::ambiguous_part;

    #[test]
    fn patterns_of_well_known_tokenizers_mean_one_thing() {
        for pattern in [
            // GPT-2, Llama 3, Qwen 2, o200k, CLIP, DeepSeek.
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"<\|startoftext\|>|'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
            r"[!\x22#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+",
            r"[一-龥぀-ゟ゠-ヿ]+|\p{N}{1,3}",
            r"[\p{Han}&&[^\p{N}]]+|x{2}",
            "",
            "\\",
        ] {
            assert_eq!(ambiguous_part(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn patterns_that_mean_two_things_are_told_by_their_part() {
        for (pattern, part) in [
            // cl100k: possessive here, repeated there.
            (r"'(?i:[sdmt]|ll|ve|re)|\p{N}{1,3}+|\s+", "}+"),
            (r"\d{2}+", "}+"),
            (r"^\s+", "^"),
            (r"\s+$", "$"),
            (r"a|[^\]$]$", "$"),
            (r"\w+|[^\w\s]+", "\\w"),
            (r"[\w-]+", "\\w"),
            (r"\W", "\\W"),
            (r"\bword\b", "\\b"),
            (r"\B", "\\B"),
            (r"[[:alpha:]]+", "[:"),
            (r"[a[:punct:]]+", "[:"),
            (r"\R+", "\\R"),
            (r"\X", "\\X"),
            (r"\012", "\\0"),
            (r"[]^]^", "^"),
        ] {
            assert_eq!(ambiguous_part(pattern).as_deref(), Some(part), "{pattern}");
        }
    }
}
