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

/// Follows each relative link of each Markdown file below `root`. A link leads to a file or a folder that
/// exists, to a heading that exists, and if its text is a name in code quotes and its target a Rust
/// file, to a file that has this name in it. Returns the links to functions, and all problems.
pub(crate) fn follow(root: &Path) -> Result<(Vec<FunctionLink>, Vec<String>)> {
    let mut documents = BTreeMap::new();
    read_documents(root, Path::new(""), &mut documents)?;
    let (mut functions, mut problems) = (Vec::new(), Vec::new());
    for (document, text) in &documents {
        for (line, label, target) in links_of(text) {
            let place = format!("{}:{line}", document.display());
            match follow_one(root, &documents, document, label, target) {
                Ok(None) => {}
                Ok(Some((name, path))) => functions.push(FunctionLink { place, name, path }),
                Err(problem) => problems.push(format!("{place}: {problem}")),
            }
        }
    }
    Ok((functions, problems))
}

/// Returns the name and the file of a link to a function.
fn follow_one(
    root: &Path,
    documents: &BTreeMap<PathBuf, String>,
    document: &Path,
    label: &str,
    target: &str,
) -> Result<Option<(String, String)>, String> {
    if target.contains(':') {
        return Ok(None);
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => document.to_owned(),
        _ => resolve(document, file),
    };
    let shown = path.display().to_string();
    if !root.join(&path).exists() {
        return Err(format!("there is no {shown}"));
    }
    if let Some(text) = documents.get(&path)
        && !heading.is_empty()
        && !has_heading(text, heading)
    {
        return Err(format!("{shown} has no heading #{heading}"));
    }
    let name = (label.strip_prefix('`')).and_then(|rest| rest.strip_suffix('`'));
    let Some(name) = name.filter(|name| shown.ends_with(".rs") && words(name).eq([*name])) else {
        return Ok(None);
    };
    let source = std::fs::read_to_string(root.join(&path)).map_err(|error| error.to_string())?;
    if source.contains(&format!("fn {name}(")) {
        Ok(Some((name.to_owned(), shown)))
    } else if words(&source).any(|word| word == name) {
        Ok(None)
    } else {
        Err(format!("{shown} has no `{name}`"))
    }
}

fn words(source: &str) -> impl Iterator<Item = &str> {
    source.split(|c: char| !c.is_alphanumeric() && c != '_')
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

    /// Follows the links of a document `docs/page.md` in a repository with a test file and another document.
    fn follow(page: &str) -> (Vec<FunctionLink>, Vec<String>) {
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
        super::follow(root.path()).unwrap()
    }

    #[test]
    fn links_that_lead_somewhere_hold_and_those_to_functions_are_found() {
        let (functions, problems) = follow(
            "see [a](../README.md), [b](../README.md#what-is-not-promised-this) [c](#page)\n# Page\n\
             [d](../README.md#here), [e](../tests), [f](https://example.org/gone), [`Limits`](../tests/a.rs)\n\
             ```\n[not](a-link.md)\n```\n[`spins`](../tests/a.rs)",
        );
        assert_eq!(problems, [] as [String; 0]);
        let (place, name, path) = ("docs/page.md:7", "spins", "tests/a.rs");
        let expected = [place, name, path].map(str::to_owned);
        let found: Vec<_> = functions
            .into_iter()
            .map(|FunctionLink { place, name, path }| [place, name, path])
            .collect();
        assert_eq!(found, [expected]);
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
            let (_, problems) = follow(&format!("{link} and more"));
            assert_eq!(problems.len(), 1, "{link}");
        }
    }
}
