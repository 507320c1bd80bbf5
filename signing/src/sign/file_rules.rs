//! Rules for the files of a directory that are published. Files that programs leave for themselves are left out, and
//! files that the publisher excludes. Files that look like secrets are refused.

use glob::{MatchOptions, Pattern};
use serde::Serialize;

use crate::bundle::manifest::Manifest;
use crate::files::directory::{Directory, Visit};
use crate::sign::leftovers;
use crate::values::error::{Error, Result};

/// The file beside the envelope that holds its signature for minisign.
pub const MINISIGN_FILE: &str = "ampoule.dsse.json.minisig";

/// `*` stays within one name, as in a shell and in `.gitignore`.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// Rules of a publisher for the files of a directory, in patterns.
///
/// A pattern without a slash fits names wherever they are (`*.onnx`); one with a slash fits paths from the
/// directory on (`onnx/*.onnx`, `**/old/*`). `*` and `?` stay within a name, `**` goes over several, `[a-c]` is
/// one of these characters. A directory that fits stands for all in it; with a slash at its end a pattern fits
/// directories only. Case counts.
#[derive(Clone, Debug, Default)]
pub struct FileRules {
    exclude: Vec<Glob>,
    include: Vec<Glob>,
    secrets: Vec<Glob>,
}

/// A file or a directory that is left out, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The path in the directory; a directory's ends in a slash.
    pub path: String,
    /// The reason, for people: "version control", "excluded".
    pub reason: &'static str,
}

impl LeftOut {
    fn is_directory(&self) -> bool {
        self.path.ends_with('/')
    }
}

/// The reason for files that the publisher excludes.
const EXCLUDED: &str = "excluded";

impl FileRules {
    /// Makes the rules for a directory of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out files that a pattern fits.
    ///
    /// # Errors
    ///
    /// `usage.arguments` for text that is no pattern.
    pub fn exclude(mut self, pattern: &str) -> Result<Self> {
        self.exclude.push(Glob::new(pattern)?);
        Ok(self)
    }

    /// Takes files that a pattern fits although programs leave such files for themselves.
    ///
    /// # Errors
    ///
    /// As [`FileRules::exclude`].
    pub fn include(mut self, pattern: &str) -> Result<Self> {
        self.include.push(Glob::new(pattern)?);
        Ok(self)
    }

    /// Allows files that a pattern fits although they look like secrets.
    ///
    /// # Errors
    ///
    /// As [`FileRules::exclude`].
    pub fn allow_secret(mut self, pattern: &str) -> Result<Self> {
        self.secrets.push(Glob::new(pattern)?);
        Ok(self)
    }

    /// Returns the patterns of [`FileRules::exclude`] that fit nothing that was left out. Each is most likely a slip,
    /// and the file that it was meant for is published.
    #[must_use]
    pub fn unused(&self, left_out: &[LeftOut]) -> Vec<&str> {
        let is_unused = |glob: &&Glob| {
            !left_out.iter().any(|out| {
                let path = out.path.strip_suffix('/').unwrap_or(&out.path);
                glob.fits(path, out.is_directory())
            })
        };
        let unused = self.exclude.iter().filter(is_unused);
        unused.map(|glob| &*glob.text).collect()
    }

    /// Returns the files of a directory that are published, except the paths in `passed`, and those that are left
    /// out; both sorted.
    ///
    /// # Errors
    ///
    /// `file.symlink` and `file.type` for files that cannot be published, `io.failed`.
    pub(crate) fn select(
        &self,
        directory: &Directory,
        passed: &[&str],
    ) -> Result<(Vec<String>, Vec<LeftOut>)> {
        let mut left_out: Vec<LeftOut> = Vec::new();
        // A directory is listed to its end before what is beside it, so one at a time is looked into.
        let mut looked_into: Option<String> = None;
        let paths = directory.list_where(|path, is_directory| {
            if passed.contains(&path) {
                return Visit::Pass;
            }
            let is_below = looked_into
                .as_ref()
                .is_some_and(|dir| path.starts_with(dir));
            if is_below {
                return match (is_directory, self.takes_back(path)) {
                    (true, _) => Visit::LookInto,
                    (false, true) => Visit::Take,
                    (false, false) => Visit::Pass,
                };
            }
            let Some(reason) = self.left_out(path, is_directory) else {
                return Visit::Take;
            };
            let path = match is_directory {
                true => format!("{path}/"),
                false => path.to_owned(),
            };
            let visit = match is_directory && self.looks_into(reason) {
                true => {
                    looked_into = Some(path.clone());
                    Visit::LookInto
                }
                false => Visit::Pass,
            };
            left_out.push(LeftOut { path, reason });
            visit
        })?;
        left_out.sort_by(|one, other| one.path.cmp(&other.path));
        Ok((paths, left_out))
    }

    /// Returns the reason why a file or a directory is left out, if there is one. Callers do not ask about the
    /// content of a directory that is left out.
    fn left_out(&self, path: &str, is_directory: bool) -> Option<&'static str> {
        let fits = |globs: &[Glob]| globs.iter().any(|glob| glob.fits(path, is_directory));
        if fits(&self.exclude) {
            return Some(EXCLUDED);
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        leftovers::kind(name).filter(|_| !fits(&self.include))
    }

    /// Returns true if something in a directory that is left out for this reason may be taken back.
    fn looks_into(&self, reason: &str) -> bool {
        reason != EXCLUDED && !self.include.is_empty()
    }

    /// Returns true for a file that is taken back though its directory is left out.
    fn takes_back(&self, path: &str) -> bool {
        self.include.iter().any(|glob| glob.fits_or_above(path))
            && !self.exclude.iter().any(|glob| glob.fits_or_above(path))
    }

    /// Returns whether the publisher lets a file look like a secret.
    pub(crate) fn allows_secret(&self, path: &str) -> bool {
        self.secrets.iter().any(|glob| glob.fits_or_above(path))
    }
}

/// Returns the pattern that fits one path of a directory and no other.
pub(crate) fn pattern_of(path: &str) -> String {
    // From the directory on: a name without a slash would fit wherever it is.
    format!("/{}", Pattern::escape(path))
}

impl Manifest {
    /// The files that it names although programs leave such for themselves: an earlier version of `init` did, or
    /// a person, and they change without anybody meaning to change the model.
    #[must_use]
    pub fn leftovers(&self) -> Vec<LeftOut> {
        let leftover = |path: &str| {
            let reason = path.split('/').find_map(leftovers::kind)?;
            Some(LeftOut {
                path: path.to_owned(),
                reason,
            })
        };
        self.files()
            .iter()
            .filter_map(|file| leftover(file.path()))
            .collect()
    }
}

#[derive(Clone, Debug)]
struct Glob {
    /// As it was given.
    text: String,
    pattern: Pattern,
    /// It fits names wherever they are.
    is_name: bool,
    directories_only: bool,
}

impl Glob {
    fn new(text: &str) -> Result<Self> {
        let refused = |reason: &str| {
            Error::UsageArguments(format!(
                "{text:?} is no pattern for files: {reason}; expected one such as '*.onnx', 'onnx/*.bin' or \
                 'old/'"
            ))
        };
        let directories_only = text.ends_with('/');
        let path = text.strip_suffix('/').unwrap_or(text);
        let is_name = !path.contains('/');
        let path = path
            .strip_prefix("./")
            .or(path.strip_prefix('/'))
            .unwrap_or(path);
        if path.is_empty() || path.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(refused("it names nothing in the directory"));
        }
        let pattern = Pattern::new(path).map_err(|error| refused(error.msg))?;
        Ok(Self {
            text: text.to_owned(),
            pattern,
            is_name,
            directories_only,
        })
    }

    fn fits(&self, path: &str, is_directory: bool) -> bool {
        let text = match self.is_name {
            true => path.rsplit('/').next().unwrap_or(path),
            false => path,
        };
        (is_directory || !self.directories_only) && self.pattern.matches_with(text, MATCHING)
    }

    /// Returns whether the pattern fits a file, or a directory that the file is in.
    fn fits_or_above(&self, path: &str) -> bool {
        self.fits(path, false)
            || path
                .match_indices('/')
                .any(|(at, _)| self.fits(&path[..at], true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, path: &str) -> bool {
        Glob::new(pattern).unwrap().fits_or_above(path)
    }

    #[test]
    fn patterns_fit_names_anywhere_and_paths_from_the_directory_on() {
        for (pattern, path) in [
            ("*.onnx", "model.onnx"),
            ("*.onnx", "onnx/model.onnx"),
            ("onnx", "onnx/model.onnx"),
            ("onnx/", "a/onnx/model.onnx"),
            ("onnx/*.bin", "onnx/a.bin"),
            ("./onnx/*.bin", "onnx/a.bin"),
            ("/notes.txt", "notes.txt"),
            ("**/old/*", "a/b/old/c"),
            ("model[0-9].bin", "x/model7.bin"),
            ("*", ".hidden"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("onnx/*.bin", "a/onnx/a.bin"),
            ("onnx/*.bin", "onnx/a/b.bin"),
            ("onnx/", "onnx"),
            ("*.ONNX", "model.onnx"),
            ("/notes.txt", "a/notes.txt"),
            ("model", "model.bin"),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn the_pattern_of_a_path_fits_nothing_else() {
        for (path, others) in [
            ("acme.key", &["a/acme.key", "acme.key2"][..]),
            ("a[1].pem", &["a1.pem", "b/a[1].pem"]),
            ("a/[!b].pem", &["a/c.pem"]),
            ("a]b", &["ab"]),
            ("x{1,2}$'`", &["x1"]),
        ] {
            let pattern = pattern_of(path);
            assert!(fits(&pattern, path), "{pattern} {path}");
            for other in others {
                assert!(!fits(&pattern, other), "{pattern} {other}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "/", "..", "../a", "a/../b", "a//b", "[", "a**b", "."] {
            let error = Glob::new(text).unwrap_err();
            assert_eq!(error.code(), "usage.arguments", "{text:?}");
        }
    }
}
