//! Relative links in the repository's Markdown files.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};

/// A link of the form ``[`name`](path/to/file.rs)`` to a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionLink {
    /// The document and the line of the link.
    pub(crate) place: String,
    pub(crate) name: String,
    /// The file, from the repository's root.
    pub(crate) path: String,
}

/// The links of all Markdown files.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) functions: Vec<FunctionLink>,
    /// Links that lead nowhere, each with its place.
    pub(crate) problems: Vec<String>,
}

/// Follows each relative link of each Markdown file below `root`. A link leads to a file or a folder that
/// exists, to a heading that exists, and where its text is a name in code quotes and its target a Rust
/// file, to a file that has this name in it.
pub(crate) fn follow(root: &Path) -> Result<Links> {
    let mut documents = BTreeMap::new();
    read_documents(root, Path::new(""), &mut documents)?;
    let mut links = Links::default();
    for (document, text) in &documents {
        for (line, label, target) in links_of(text) {
            if target.contains(':') {
                continue;
            }
            let place = format!("{}:{line}", document.display());
            if let Err(problem) =
                links.follow_one(root, &documents, document, &place, label, target)
            {
                links.problems.push(format!("{place}: {problem}"));
            }
        }
    }
    Ok(links)
}

impl Links {
    fn follow_one(
        &mut self,
        root: &Path,
        documents: &BTreeMap<PathBuf, String>,
        document: &Path,
        place: &str,
        label: &str,
        target: &str,
    ) -> Result<(), String> {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() {
            document.to_owned()
        } else {
            resolve(document, file)
        };
        if !root.join(&path).exists() {
            return Err(format!("there is no {}", path.display()));
        }
        if let (Some(text), false) = (documents.get(&path), heading.is_empty())
            && !has_heading(text, heading)
        {
            return Err(format!("{} has no heading #{heading}", path.display()));
        }
        let name = label
            .strip_prefix('`')
            .and_then(|rest| rest.strip_suffix('`'));
        let Some(name) = name.filter(|name| is_identifier(name)) else {
            return Ok(());
        };
        if path.extension().is_none_or(|extension| extension != "rs") {
            return Ok(());
        }
        let source =
            std::fs::read_to_string(root.join(&path)).map_err(|error| error.to_string())?;
        if declares_function(&source, name) {
            self.functions.push(FunctionLink {
                place: place.to_owned(),
                name: name.to_owned(),
                path: path.display().to_string(),
            });
        } else if !words(&source).any(|word| word == name) {
            return Err(format!("{} has no `{name}`", path.display()));
        }
        Ok(())
    }
}

/// True when the source has a function of this name.
pub(crate) fn declares_function(source: &str, name: &str) -> bool {
    source.contains(&format!("fn {name}("))
}

fn words(source: &str) -> impl Iterator<Item = &str> {
    source.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn is_identifier(name: &str) -> bool {
    words(name).count() == 1 && !name.is_empty()
}

/// Reads all Markdown files, hidden folders and build outputs left out.
fn read_documents(
    root: &Path,
    folder: &Path,
    documents: &mut BTreeMap<PathBuf, String>,
) -> Result<()> {
    let absolute = root.join(folder);
    let entries = std::fs::read_dir(&absolute)
        .with_context(|| format!("cannot read {}", absolute.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = folder.join(&name);
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && !matches!(&*name, "target" | "node_modules") {
                read_documents(root, &path, documents)?;
            }
        } else if name.ends_with(".md") {
            documents.insert(path, std::fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}

/// The line, the text and the target of each link, code blocks left out.
fn links_of(markdown: &str) -> Vec<(usize, &str, &str)> {
    let mut links = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(markdown.lines()) {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence {
            continue;
        }
        for (middle, _) in line.match_indices("](") {
            let (before, after) = (&line[..middle], &line[middle + 2..]);
            let label = before.rsplit_once('[').map_or(before, |(_, label)| label);
            if let Some((target, _)) = after.split_once(')') {
                links.push((number, label, target));
            }
        }
    }
    links
}

/// The path that `target` means in `document`, from the repository's root.
fn resolve(document: &Path, target: &str) -> PathBuf {
    let mut path = document.parent().unwrap_or(Path::new("")).to_owned();
    for component in Path::new(target).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// True when the document has a heading, or an anchor of its own, that GitHub gives the fragment `anchor`.
fn has_heading(markdown: &str, anchor: &str) -> bool {
    let of_heading = |line: &str| -> String {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        });
        kept.collect()
    };
    let mut headings = markdown.lines().filter(|line| line.starts_with('#'));
    headings.any(|line| of_heading(line) == anchor)
        || markdown.contains(&format!("<a id=\"{anchor}\">"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The links of a document `docs/page.md` in a repository with a test file and another document.
    fn links(page: &str) -> Links {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("docs/page.md", page),
            (
                "README.md",
                "# What is *not* promised: \"this\"\n<a id=\"here\"></a>\n",
            ),
            (
                "tests/a.rs",
                "struct Limits;\n#[test]\nfn spins() {}\n// fn old\n",
            ),
            ("target/stray.md", "[gone](gone.md)"),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        follow(root.path()).unwrap()
    }

    #[test]
    fn links_that_lead_somewhere_hold() {
        let links = links(
            "see [a](../README.md), [b](../README.md#what-is-not-promised-this) [c](#page)\n# Page\n\
             [d](../README.md#here), [e](../tests), [f](https://example.org/gone), [`Limits`](../tests/a.rs)\n\
             ```\n[not](a-link.md)\n```\n[`spins`](../tests/a.rs)",
        );
        assert_eq!(links.problems, [] as [String; 0]);
        let [function] = &links.functions[..] else {
            unreachable!("{links:?}");
        };
        assert_eq!(function.place, "docs/page.md:7");
        assert_eq!((&*function.name, &*function.path), ("spins", "tests/a.rs"));
    }

    #[test]
    fn links_that_lead_nowhere_are_problems() {
        for link in [
            "[a](../gone.md)",
            "[a](../README.md#gone)",
            "[a](#gone)",
            "[`gone`](../tests/a.rs)",
            "[`spin`](../tests/a.rs)",
            "[`spins`](../tests/gone.rs)",
        ] {
            assert_eq!(
                links(&format!("{link} and more")).problems.len(),
                1,
                "{link}"
            );
        }
    }
}
