//! Stop strings: text is let out as far as none of them can begin in it.

use ampoule_guest::Error;

/// Ends an answer before the first stop string, and holds back text in which one may have begun.
pub struct StopStrings {
    stops: Vec<String>,
    /// Text that was not let out yet.
    held: String,
}

impl StopStrings {
    /// Takes a request's stop strings.
    ///
    /// # Errors
    ///
    /// `input.stop` when one is empty: everything begins with that.
    pub fn new(stops: Vec<String>) -> Result<Self, Error> {
        if stops.iter().any(String::is_empty) {
            return Err(Error::new(
                "input.stop",
                "expected stop strings of at least one character, found an empty one; leave it out",
            ));
        }
        Ok(StopStrings {
            stops,
            held: String::new(),
        })
    }

    /// Takes the model's next text. Returns the text that can be let out, and whether a stop string was met,
    /// which ends the answer. Of several stop strings the one that is complete first counts, so that the
    /// pieces in which the text comes do not matter.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        let found = self.stops.iter().filter_map(|stop| {
            let start = self.held.find(stop.as_str())?;
            Some((start + stop.len(), start))
        });
        if let Some((_, start)) = found.min() {
            self.held.truncate(start);
            return (std::mem::take(&mut self.held), true);
        }
        let safe = self.held.len() - self.begun();
        let rest = self.held.split_off(safe);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// Returns the text that was held back, once nothing more comes.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Returns how many bytes at the end may be the beginning of a stop string.
    fn begun(&self) -> usize {
        let begun = |stop: &String| {
            let longest = (stop.len() - 1).min(self.held.len());
            (1..=longest)
                .rev()
                .find(|&length| {
                    // As bytes: the beginning of a stop string may end within a character, the text
                    // that is held never does.
                    self.held.as_bytes().ends_with(&stop.as_bytes()[..length])
                })
                .unwrap_or(0)
        };
        self.stops.iter().map(begun).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::StopStrings;

    /// Returns the text that comes out of the pieces, and whether a stop string ended it.
    fn out<'a>(stops: &[&str], pieces: impl IntoIterator<Item = &'a str>) -> (String, bool) {
        let stops = stops.iter().map(ToString::to_string).collect();
        let mut stop_strings = StopStrings::new(stops).unwrap();
        let mut text = String::new();
        for piece in pieces {
            let (piece, stopped) = stop_strings.push(piece);
            text.push_str(&piece);
            if stopped {
                return (text, true);
            }
        }
        text.push_str(&stop_strings.finish());
        (text, false)
    }

    #[test]
    fn an_empty_stop_string_is_refused() {
        let error = StopStrings::new(vec!["a".to_owned(), String::new()]).err();
        assert_eq!(error.unwrap().code, "input.stop");
    }

    #[test]
    fn the_pieces_that_a_text_comes_in_do_not_matter() {
        let text = "ab aab ababc · ö.";
        for stops in [
            &["ababc"][..],
            &["abc", "aab"],
            &["ö"],
            &["c ·", "b ab"],
            &["x"],
            &["aab ababc · ö.!"],
            &["babc", "c"],
            &[],
        ] {
            let expected = out(stops, [text]);
            let ends: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
            for &first in &ends {
                for &second in ends.iter().filter(|&&second| second >= first) {
                    let pieces = [&text[..first], &text[first..second], &text[second..]];
                    assert_eq!(out(stops, pieces), expected, "{stops:?}: {pieces:?}");
                }
            }
        }
    }

    #[test]
    fn text_ends_before_the_first_stop_string() {
        assert_eq!(out(&["cd"], ["abcdef"]), ("ab".to_owned(), true));
        assert_eq!(out(&["ef", "cd"], ["abcdef"]), ("ab".to_owned(), true));
        assert_eq!(out(&["a"], ["abc"]), (String::new(), true));
        assert_eq!(out(&["abcd", "c"], ["abcd"]), ("ab".to_owned(), true));
    }

    #[test]
    fn what_only_looked_like_a_stop_string_comes_out() {
        let mut stop_strings = StopStrings::new(vec!["stop".to_owned()]).unwrap();
        assert_eq!(stop_strings.push("a st"), ("a ".to_owned(), false));
        assert_eq!(stop_strings.push("ar"), ("star".to_owned(), false));
        assert_eq!(stop_strings.push(" sto"), (" ".to_owned(), false));
        assert_eq!(stop_strings.finish(), "sto");
    }
}
