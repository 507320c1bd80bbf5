//! Which file needs which, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::crate_files::{Crate, Module};

/// As many re-exports are followed from one name; more are a circle of names.
const MOST_RE_EXPORTS: usize = 16;

/// The files of a crate, and what each needs of the others.
pub(crate) struct Graph<'a> {
    files: &'a [String],
    /// From a file to another: the paths by which it names that one's items.
    edges: BTreeMap<(usize, usize), BTreeSet<String>>,
}

/// Files that need each other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Circle {
    pub(crate) files: Vec<String>,
    /// From, to, and by which paths.
    edges: Vec<(String, String, Vec<String>)>,
}

impl<'a> Graph<'a> {
    /// Follows every path of the crate to the file that defines its item.
    pub(crate) fn of(read: &'a Crate) -> Self {
        let mut edges: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (index, module) in read.modules.iter().enumerate() {
            for path in &module.used {
                if let Some(Target::Item(file)) = read.resolve(index, path, MOST_RE_EXPORTS)
                    && file != module.file
                {
                    let names = edges.entry((module.file, file)).or_default();
                    names.insert(path.join("::"));
                }
            }
            for path in &module.globs {
                if let Some(Target::Module(target)) = read.resolve(index, path, MOST_RE_EXPORTS) {
                    let file = read.modules[target].file;
                    if file != module.file {
                        let names = edges.entry((module.file, file)).or_default();
                        names.insert(format!("{}::*", path.join("::")));
                    }
                }
            }
        }
        Self {
            files: &read.files,
            edges,
        }
    }

    /// The groups of files of which each reaches each.
    pub(crate) fn circles(&self) -> Vec<Circle> {
        let reached: Vec<_> = (0..self.files.len()).map(|file| self.reach(file)).collect();
        let mut circles = Vec::new();
        let mut done = BTreeSet::new();
        for file in 0..self.files.len() {
            let circle: BTreeSet<usize> = reached[file]
                .iter()
                .copied()
                .filter(|other| reached[*other].contains(&file))
                .collect();
            if !circle.is_empty() && done.insert(circle.clone()) {
                circles.push(self.circle(&circle));
            }
        }
        circles
    }

    /// The files that `file` needs, directly or by others; itself only where it is in a circle.
    fn reach(&self, file: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut next = vec![file];
        while let Some(from) = next.pop() {
            for &(_, to) in self
                .edges
                .range((from, 0)..(from + 1, 0))
                .map(|(edge, _)| edge)
            {
                if reached.insert(to) {
                    next.push(to);
                }
            }
        }
        reached
    }

    fn circle(&self, files: &BTreeSet<usize>) -> Circle {
        let name = |file: usize| self.files[file].clone();
        let inside = self
            .edges
            .iter()
            .filter(|((from, to), _)| files.contains(from) && files.contains(to));
        Circle {
            files: files.iter().map(|file| name(*file)).collect(),
            edges: inside
                .map(|((from, to), names)| {
                    (name(*from), name(*to), names.iter().cloned().collect())
                })
                .collect(),
        }
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.files.join(", "))?;
        for (from, to, names) in &self.edges {
            writeln!(formatter, "  {from} needs {to} for {}", names.join(", "))?;
        }
        Ok(())
    }
}

/// Target of a path.
#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    /// An item, in the file that defines it.
    Item(usize),
}

impl Crate {
    /// Follows a path that stands in `module`; `None` for one that leads out of the crate.
    fn resolve(&self, module: usize, path: &[String], re_exports: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let here = &self.modules[module];
        match first.as_str() {
            "crate" => self.walk(0, rest, re_exports),
            "self" => self.walk(module, rest, re_exports),
            "super" => self.walk(here.parent, rest, re_exports),
            // Nothing tells a crate from an item that a macro makes; neither is another file's.
            name if !here.names(name) => None,
            _ => self.walk(module, path, re_exports),
        }
    }

    fn walk(&self, module: usize, path: &[String], re_exports: usize) -> Option<Target> {
        let here = &self.modules[module];
        let Some((name, rest)) = path.split_first() else {
            return Some(Target::Module(module));
        };
        if name == "super" {
            return self.walk(here.parent, rest, re_exports);
        }
        if let Some(child) = here.children.get(name) {
            return self.walk(*child, rest, re_exports);
        }
        if here.defined.contains(name) {
            return Some(Target::Item(here.file));
        }
        let left = re_exports.checked_sub(1)?;
        if let Some(import) = here.imported.get(name) {
            let import = [import.as_slice(), rest].concat();
            return self.resolve(module, &import, left);
        }
        for glob in &here.globs {
            if let Some(Target::Module(other)) = self.resolve(module, glob, left)
                && self.modules[other].names(name)
            {
                return self.walk(other, path, left);
            }
        }
        // A macro, here or exported from anywhere; or what a macro of this file makes.
        let exported = self
            .modules
            .iter()
            .find(|other| other.macros.contains(name));
        let definer = exported.filter(|_| module == 0 && rest.is_empty());
        Some(Target::Item(definer.unwrap_or(here).file))
    }
}

impl Module {
    /// True for a name that can be seen in the module itself, other than by a glob.
    fn names(&self, name: &str) -> bool {
        self.children.contains_key(name)
            || self.defined.contains(name)
            || self.imported.contains_key(name)
    }
}
