//! Names what programs leave in a directory for themselves: a model folder is often a clone, was looked at by a
//! file manager, and was downloaded by a tool with a cache.

/// Names of files and directories that programs leave for themselves, by kind. One `*` stands for anything.
const LEFTOVERS: &[(&str, &[&str])] = &[
    (
        "version control",
        &[
            ".git*", ".hg*", ".svn", ".bzr", ".jj", "_darcs", ".pijul", "CVS", ".dvc*", ".lfs*",
        ],
    ),
    (
        "a cache",
        &[
            ".cache",
            ".huggingface",
            ".ipynb_checkpoints",
            "__pycache__",
            "*.pyc",
            ".mypy_cache",
            ".pytest_cache",
            ".ruff_cache",
        ],
    ),
    (
        "a file manager's",
        &[
            ".DS_Store",
            "._*",
            ".AppleDouble",
            "__MACOSX",
            ".Spotlight-V100",
            ".Trashes",
            ".fseventsd",
            "Thumbs.db",
            "ehthumbs.db",
            "desktop.ini",
            "$RECYCLE.BIN",
            "System Volume Information",
            ".directory",
            ".Trash*",
            "lost+found",
        ],
    ),
    (
        "an editor's",
        &[
            "*~", "*.swp", "*.swo", "*.swx", "#*#", ".#*", ".idea", ".vscode",
        ],
    ),
    (
        "an unfinished or temporary file",
        &[
            "*.incomplete",
            "*.part",
            "*.crdownload",
            ".nfs*",
            ".fuse_hidden*",
        ],
    ),
    ("a Python environment", &[".venv", ".tox"]),
    ("a packed bundle", &["*.ampoule"]),
];

/// Returns the kind of a file or a directory of this name, if programs leave such for themselves. Case does not
/// count: most of the systems that such files come from do not tell cases apart.
pub(crate) fn kind(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    LEFTOVERS
        .iter()
        .find(|(_, patterns)| patterns.iter().any(|pattern| fits(pattern, &name)))
        .map(|(kind, _)| *kind)
}

fn fits(pattern: &str, name: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.split_once('*') {
        None => name == pattern,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_leave_is_known_and_a_models_files_are_not() {
        for name in [
            ".git",
            ".gitattributes",
            ".gitignore",
            ".DS_Store",
            "._weights",
            "THUMBS.DB",
            "Desktop.ini",
            ".cache",
            ".huggingface",
            "__pycache__",
            "a.pyc",
            "notes~",
            ".config.json.swp",
            "#notes#",
            ".hg",
            ".svn",
            "model.safetensors.incomplete",
            "old.ampoule",
            ".ipynb_checkpoints",
        ] {
            assert!(kind(name).is_some(), "{name}");
        }
        for name in [
            "component.wasm",
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "README.md",
            "LICENSE",
            "git",
            "cache",
            "1_Pooling",
            ".hidden",
            "vocab.txt",
            "merges.txt",
            "part",
            "#",
        ] {
            assert_eq!(kind(name), None, "{name}");
        }
    }
}
