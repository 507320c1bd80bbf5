//! Text in roff, where the generator leaves it to what a terminal makes of it.

/// Sets in bold what stands `between backticks` in a line of roff, and spells characters beyond ASCII
/// by their number: a bare backtick is printed as a quotation mark, and what other bytes mean depends on
/// the machine that shows the page. Empty lines and spaces at the end of a line, which the generator
/// leaves and linters of manual pages report, go.
pub(crate) fn portable(roff: &str) -> String {
    let roff = roff.replace("\n.br\n\n.br\n", "\n.sp\n");
    let lines = roff.lines().map(|line| {
        let line = line.trim_end();
        let mut text = String::with_capacity(line.len());
        let parts: Vec<&str> = line.split('`').collect();
        // Without its partner a backtick is only itself.
        let are_paired = parts.len() % 2 == 1;
        for (place, part) in parts.into_iter().enumerate() {
            if place > 0 {
                text.push_str(match (are_paired, place % 2) {
                    (true, 1) => r"\fB",
                    (true, _) => r"\fR",
                    (false, _) => r"\(ga",
                });
            }
            for character in part.chars() {
                match character {
                    // Every terminal has dots, and behind `\&` they are never a request.
                    '…' => text.push_str(r"\&..."),
                    _ if character.is_ascii() => text.push(character),
                    _ => text.push_str(&format!(r"\[u{:04X}]", u32::from(character))),
                }
            }
        }
        text.push('\n');
        text
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::portable;

    #[test]
    fn what_linters_report_is_gone() {
        assert_eq!(
            portable("Shell. \n.br\n\n.br\nValues"),
            "Shell.\n.sp\nValues\n"
        );
    }

    #[test]
    fn what_is_quoted_is_bold_and_what_is_not_ascii_has_its_number() {
        assert_eq!(
            portable("say `yes`, or `no`"),
            "say \\fByes\\fR, or \\fBno\\fR\n"
        );
        assert_eq!(portable("a `lone one"), "a \\(galone one\n");
        assert_eq!(portable("4f3c…\nü"), "4f3c\\&...\n\\[u00FC]\n");
        assert_eq!(portable(".SH NAME\nplain"), ".SH NAME\nplain\n");
    }
}
