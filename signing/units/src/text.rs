//! Strangers' text made fit for people: for a message, a log or a terminal.
//!
//! Whatever a bundle, a guest, a key file or a caller spells is shown through one of these functions. One rule
//! ([`is_harmless`]) says which characters stay; what else differs is how many lines and characters are kept.

/// Characters of a whole sentence of a stranger's that a message repeats: a few lines of a terminal.
pub const MAX_SENTENCE_CHARS: usize = 1_024;

/// Characters of a stranger's name or value that a message repeats: enough to recognise it by.
pub const MAX_NAME_CHARS: usize = 200;

/// Stands for a character that is not shown.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Tells whether a character may be shown as it is. Not among them are
///
/// * the control characters, C0, DEL and C1, which a terminal obeys;
/// * what ends a line beside them: `U+2028` and `U+2029`;
/// * what changes the direction of writing, so that a line reads as another: `U+061C`, `U+200E`, `U+200F`,
///   `U+202A` to `U+202E` and `U+2066` to `U+2069`;
/// * what is not seen at all, so that text may hide in it: zero-width spaces and fillers, the deprecated and the
///   interlinear format characters, and the tags from `U+E0000` on.
///
/// The zero-width joiners (`U+200C`, `U+200D`) stay: Persian, Hindi and many emoji are written with them.
#[must_use]
pub fn is_harmless(c: char) -> bool {
    !(c.is_control()
        || matches!(
            c,
            '\u{061c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        ))
}

/// Returns a name or a value on one line, cut after [`MAX_NAME_CHARS`].
#[must_use]
pub fn name(text: &str) -> String {
    line_of(text, MAX_NAME_CHARS)
}

/// Returns a sentence, such as another program's message, on one line, cut after [`MAX_SENTENCE_CHARS`].
#[must_use]
pub fn sentence(text: &str) -> String {
    line_of(text, MAX_SENTENCE_CHARS)
}

/// Returns all of a text on one line. Its length is the caller's business.
#[must_use]
pub fn line(text: &str) -> String {
    without_end(text).chars().map(in_line).collect()
}

/// Returns all of a text, with its lines and tabs. Each piece of a longer text can be given by itself.
#[must_use]
pub fn lines(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { c } else { in_line(c) })
        .collect()
}

/// Cuts before it cleans, so that a giant text costs no more than what is kept of it.
fn line_of(text: &str, longest: usize) -> String {
    let text = without_end(text);
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", line(&text[..end])),
        None => line(text),
    }
}

fn without_end(text: &str) -> &str {
    text.trim_end_matches(['\n', '\r'])
}

/// Returns a character as it stands in one line of text.
#[must_use]
pub fn in_line(c: char) -> char {
    match c {
        '\n' => '⏎',
        '\t' => c,
        c if is_harmless(c) => c,
        _ => REPLACEMENT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sample of each kind that is not shown.
    const HARMFUL: [char; 24] = [
        '\0',
        '\u{7}',
        '\u{1b}',
        '\r',
        '\u{7f}',
        '\u{80}',
        '\u{9b}',
        '\u{9d}',
        '\u{61c}',
        '\u{200b}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{206f}',
        '\u{3164}',
        '\u{feff}',
        '\u{e0001}',
        '\u{e007f}',
    ];

    #[test]
    fn nothing_that_steers_a_terminal_or_hides_is_shown() {
        for c in HARMFUL {
            let text = format!("a{c}b");
            for shown in [name(&text), sentence(&text), line(&text), lines(&text)] {
                assert_eq!(shown, "a\u{fffd}b", "{c:?}");
            }
        }
    }

    #[test]
    fn text_of_all_languages_stays_as_it_is() {
        for text in ["Grüße", "漢字", "नमस्ते", "می‌خواهم", "👩‍👩‍👧", "שלום", "a\tb"]
        {
            assert_eq!(lines(text), text);
            assert_eq!(name(text), text);
        }
    }

    #[test]
    fn a_text_on_one_line_cannot_forge_a_second() {
        assert_eq!(line("a\nERROR b\r\n\n"), "a⏎ERROR b");
        assert_eq!(lines("a\nb\n"), "a\nb\n");
    }

    #[test]
    fn a_stranger_gets_as_much_room_as_a_person_reads() {
        let giant = "\u{1b}é".repeat(5_000_000);
        assert_eq!(name(&giant).chars().count(), MAX_NAME_CHARS + 1);
        assert_eq!(sentence(&giant).chars().count(), MAX_SENTENCE_CHARS + 1);
        let just = "x".repeat(MAX_NAME_CHARS);
        assert_eq!(name(&just), just);
    }
}
