//! Finds an item in Rust source, and tells tests from the rest.
//!
//! Line by line: our sources are formatted by rustfmt, and a full parser would be most of what a
//! newcomer compiles first.

/// What a name in a source file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A function with a test attribute.
    Test,
    /// Any other item.
    Code,
}

/// Finds the item `name` in Rust source. A function whose attributes include one that ends in `test`
/// (`#[test]`, `#[tokio::test(...)]`) is a test.
pub(crate) fn item_in(source: &str, name: &str) -> Option<Item> {
    let mut attributes: Vec<&str> = Vec::new();
    let mut found = None;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            attributes.push(line);
        } else if !line.is_empty() && !line.starts_with("//") {
            if let Some((keyword, item)) = declared(line)
                && item == name
            {
                if keyword == "fn"
                    && attributes
                        .iter()
                        .any(|attribute| is_test_attribute(attribute))
                {
                    return Some(Item::Test);
                }
                found = Some(Item::Code);
            }
            // The lines of a longer attribute stand between it and its item.
            if !line.ends_with([',', ')', ']', '(']) {
                attributes.clear();
            }
        }
    }
    found
}

fn is_test_attribute(attribute: &str) -> bool {
    let path = attribute
        .trim_start_matches("#[")
        .split(['(', ']', ' '])
        .next();
    path.and_then(|path| path.rsplit("::").next()) == Some("test")
}

/// The keyword and the name of what a line declares.
fn declared(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    let keyword = words.find(|word| {
        !matches!(*word, "pub" | "async" | "unsafe" | "default")
            && !word.starts_with("pub(")
            && !word.starts_with("#[")
    })?;
    if !matches!(
        keyword,
        "fn" | "struct"
            | "enum"
            | "trait"
            | "type"
            | "mod"
            | "const"
            | "static"
            | "macro_rules!"
            | "union"
    ) {
        return None;
    }
    let name = words.find(|word| !matches!(*word, "fn" | "unsafe" | "mut"))?;
    let keyword = if line.contains(" fn ") { "fn" } else { keyword };
    Some((
        keyword,
        name.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "
        /// Spins.
        pub(crate) const fn spin() {}
        pub struct Limits { a: u8 }

        #[test]
        fn a_spinning_guest_is_stopped() { spin(); }

        #[tokio::test(
            flavor = \"current_thread\",
        )]
        #[cfg(unix)]
        // a remark
        async fn a_dropped_call_is_cancelled() {}

        // fn only_a_comment() {}
        fn no_test_any_more() {}
    ";

    #[test]
    fn tests_are_told_from_other_items() {
        for (name, item) in [
            ("a_spinning_guest_is_stopped", Some(Item::Test)),
            ("a_dropped_call_is_cancelled", Some(Item::Test)),
            ("spin", Some(Item::Code)),
            ("Limits", Some(Item::Code)),
            ("no_test_any_more", Some(Item::Code)),
            ("only_a_comment", None),
        ] {
            assert_eq!(item_in(SOURCE, name), item, "{name}");
        }
    }
}
