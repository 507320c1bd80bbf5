//! The little of Markdown that the promise check needs: links to Rust items, and a section's bullets.

/// A link of the form ``[`name`](path/to/file.rs)``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ItemLink {
    /// The line it is on, counted from 1.
    pub(crate) line: usize,
    /// What it names: a Rust identifier.
    pub(crate) name: String,
    /// The file, relative to the document.
    pub(crate) path: String,
}

/// A bullet or numbered item, with the lines that continue it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bullet {
    /// The line it begins on, counted from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// All links to Rust items, code blocks left out.
pub(crate) fn item_links(markdown: &str) -> Vec<ItemLink> {
    prose(markdown)
        .flat_map(|(line, text)| links_of_line(line, text))
        .collect()
}

/// The bullets of the first section whose heading contains `topic`, in small letters; its subsections
/// are included. A bullet with bullets of its own
/// only introduces them, and is left out. `None` where there is no such heading.
pub(crate) fn bullets(markdown: &str, topic: &str) -> Option<Vec<Bullet>> {
    let mut lines = prose(markdown).skip_while(|(_, text)| {
        heading_of(text).is_none_or(|(_, title)| !title.to_lowercase().contains(topic))
    });
    let (level, _) = heading_of(lines.next()?.1)?;
    let mut found: Vec<(usize, Bullet)> = Vec::new();
    let mut open = false;
    for (line, text) in
        lines.take_while(|(_, text)| heading_of(text).is_none_or(|(inner, _)| inner > level))
    {
        let indent = text.len() - text.trim_start().len();
        if let Some(item) = item_of(text.trim_start()) {
            if found
                .last()
                .is_some_and(|(outer, _)| open && *outer < indent)
            {
                found.pop();
            }
            found.push((
                indent,
                Bullet {
                    line,
                    text: item.to_owned(),
                },
            ));
            open = true;
        } else if let (true, Some((_, bullet))) = (open && continues(text), found.last_mut()) {
            bullet.text.push(' ');
            bullet.text.push_str(text.trim());
        } else {
            open = false;
        }
    }
    Some(found.into_iter().map(|(_, bullet)| bullet).collect())
}

/// The lines outside fenced code blocks, counted from 1.
fn prose(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(markdown.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

fn heading_of(line: &str) -> Option<(usize, &str)> {
    let title = line.trim_start_matches('#');
    let level = line.len() - title.len();
    (level > 0 && title.starts_with(' ')).then(|| (level, title.trim()))
}

/// True when a line after an item goes on with it.
fn continues(line: &str) -> bool {
    !line.trim().is_empty() && heading_of(line).is_none()
}

fn item_of(line: &str) -> Option<&str> {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let marked = if number.len() < line.len() {
        number
            .strip_prefix(". ")
            .or_else(|| number.strip_prefix(") "))
    } else {
        line.strip_prefix("- ")
            .or_else(|| line.strip_prefix("* "))
            .or_else(|| line.strip_prefix("+ "))
    };
    marked.map(str::trim)
}

fn links_of_line(line: usize, text: &str) -> impl Iterator<Item = ItemLink> {
    text.split("[`").skip(1).filter_map(move |rest| {
        let (name, rest) = rest.split_once("`](")?;
        let path = rest.split_once(')')?.0;
        let path = path.split('#').next()?;
        (is_identifier(name) && path.ends_with(".rs")).then(|| ItemLink {
            line,
            name: name.to_owned(),
            path: path.to_owned(),
        })
    })
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The links in one bullet.
impl Bullet {
    pub(crate) fn has_item_link(&self) -> bool {
        links_of_line(self.line, &self.text).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(markdown: &str) -> Vec<String> {
        bullets(markdown, "promise")
            .unwrap()
            .into_iter()
            .map(|bullet| bullet.text)
            .collect()
    }

    #[test]
    fn links_to_rust_items_are_found_and_others_are_not() {
        let markdown = "see [`a_test`](tests/a.rs) and [`B`](b.rs#L3), [`c.rs`](c.rs), [d](d.rs), [`e`](e.md)\n\
                        ```\n[`f`](f.rs)\n```\n[`g`](g.rs)";
        let found: Vec<_> = item_links(markdown)
            .into_iter()
            .map(|link| (link.line, link.name, link.path))
            .collect();
        let expected = [
            (1, "a_test", "tests/a.rs"),
            (1, "B", "b.rs"),
            (5, "g", "g.rs"),
        ];
        assert_eq!(
            found,
            expected.map(|(line, name, path)| (line, name.to_owned(), path.to_owned()))
        );
    }

    #[test]
    fn a_section_ends_at_the_next_heading_of_its_level() {
        let markdown =
            "# Security\n- before\n## Promises\nwords\n- one\n### More\n* two\n## After\n- three\n";
        assert_eq!(texts(markdown), ["one", "two"]);
        assert_eq!(bullets(markdown, "elsewhere"), None);
    }

    #[test]
    fn continued_lines_belong_to_their_bullet() {
        let markdown = "## Promises\n- one\n  and more\n- two\n\n1. three\n2) four\n";
        assert_eq!(texts(markdown), ["one and more", "two", "three", "four"]);
    }

    #[test]
    fn a_link_in_a_continued_line_counts_and_one_in_a_later_paragraph_does_not() {
        let linked = |markdown| {
            bullets(markdown, "promise")
                .unwrap()
                .iter()
                .all(Bullet::has_item_link)
        };
        assert!(linked("## Promises\n- one\n  [`a`](a.rs)\n"));
        assert!(!linked("## Promises\n- one\n\n[`a`](a.rs)\n"));
    }

    #[test]
    fn a_bullet_that_introduces_others_is_left_out() {
        assert_eq!(
            texts("## Promises\n- these:\n  - one\n  - two\n- three\n"),
            ["one", "two", "three"]
        );
    }
}
