//! The modules of a crate: the file of each, the names that it defines or imports, and the paths that it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};

/// Segments of a path, such as `crate`, `limits`, `Limits`.
pub(crate) type Segments = Vec<String>;

/// A crate, read from its root file.
#[derive(Debug, Default)]
pub(crate) struct Crate {
    /// The files' paths from the repository's root.
    pub(crate) files: Vec<String>,
    /// The crate's root is the first; a module stands after its parent.
    pub(crate) modules: Vec<Module>,
}

/// A module: a file, or an inline module inside one.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) parent: usize,
    /// Index of its file.
    pub(crate) file: usize,
    pub(crate) children: BTreeMap<String, usize>,
    pub(crate) defined: BTreeSet<String>,
    /// Names of `macro_rules!`. One that is exported belongs to the crate's root, wherever it stands.
    pub(crate) macros: BTreeSet<String>,
    /// Names that `use` brings, and the paths that they stand for.
    pub(crate) imported: BTreeMap<String, Segments>,
    /// Paths of `use …::*`.
    pub(crate) globs: Vec<Segments>,
    /// All paths of two segments and more, those of `use` among them.
    pub(crate) used: BTreeSet<Segments>,
}

impl Crate {
    /// Reads a crate. `name` gives the name that a file is reported by.
    pub(crate) fn read(root: &Path, name: &dyn Fn(&Path) -> String) -> Self {
        let mut read = Self::default();
        read.read_file(root, root.parent().unwrap(), 0, name);
        read
    }

    /// Reads the file of a module whose own modules lie in `folder`, and returns the module's index.
    fn read_file(
        &mut self,
        path: &Path,
        folder: &Path,
        parent: usize,
        name: &dyn Fn(&Path) -> String,
    ) -> usize {
        let display = name(path);
        let source =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{display}: {error}"));
        let tokens: TokenStream = source
            .parse()
            .unwrap_or_else(|error| panic!("{display} is no Rust: {error}"));
        self.files.push(display);
        let file = self.files.len() - 1;
        self.read_module(tokens, file, folder, parent, name)
    }

    fn read_module(
        &mut self,
        tokens: TokenStream,
        file: usize,
        folder: &Path,
        parent: usize,
        name: &dyn Fn(&Path) -> String,
    ) -> usize {
        let index = self.modules.len();
        let mut declared = Vec::new();
        let mut module = Module {
            parent,
            file,
            ..Module::default()
        };
        module.read_items(tokens, &mut declared);
        self.modules.push(module);
        for Declared {
            name: child,
            body,
            path,
        } in declared
        {
            let below = folder.join(&child);
            let child_index = match body {
                Some(body) => self.read_module(body, file, &below, index, name),
                None => {
                    let (path, folder) = file_of(folder, &child, path.as_deref());
                    self.read_file(&path, &folder, index, name)
                }
            };
            self.modules[index].children.insert(child, child_index);
        }
        index
    }
}

/// The file of a module that is declared in `folder`, and the folder of its own modules.
fn file_of(folder: &Path, module: &str, path: Option<&str>) -> (PathBuf, PathBuf) {
    let below = folder.join(module);
    if let Some(path) = path {
        return (folder.join(path), below);
    }
    let file = folder.join(format!("{module}.rs"));
    if file.is_file() {
        (file, below)
    } else {
        (below.join("mod.rs"), below)
    }
}

/// A module that another declares.
struct Declared {
    name: String,
    /// Its items, where it stands in the same file.
    body: Option<TokenStream>,
    /// The value of its attribute `path`.
    path: Option<String>,
}

/// Keywords that a name follows which the module defines.
const DEFINING: [&str; 8] = [
    "fn", "struct", "enum", "trait", "type", "const", "static", "union",
];

type Tokens = Peekable<token_stream::IntoIter>;

impl Module {
    /// Takes in the items of a module, and lists the modules that it declares.
    fn read_items(&mut self, tokens: TokenStream, declared: &mut Vec<Declared>) {
        let mut tokens = tokens.into_iter().peekable();
        let mut path = None;
        while let Some(token) = tokens.next() {
            match &token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => match attribute(&mut tokens) {
                    Attribute::Test => skip_item(&mut tokens, &[';']),
                    Attribute::Path(of_file) => path = Some(of_file),
                    Attribute::Other => {}
                },
                TokenTree::Ident(word) => {
                    let word = word.to_string();
                    if word == "mod" {
                        declared.extend(declaration(&mut tokens, path.take()));
                    } else {
                        if DEFINING.contains(&word.as_str()) {
                            self.defined.extend(defined_name(&mut tokens));
                        } else if word == "macro_rules" {
                            self.macros.extend(defined_name(&mut tokens));
                        }
                        self.read_word(word, &mut tokens, true);
                    }
                }
                TokenTree::Group(group) => self.read_code(group.stream()),
                _ => {}
            }
        }
    }

    /// Takes in the paths of code in which no item can be seen from outside.
    fn read_code(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match &token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if matches!(attribute(&mut tokens), Attribute::Test) {
                        // A field or a variant ends at its comma.
                        skip_item(&mut tokens, &[';', ',']);
                    }
                }
                TokenTree::Ident(word) => self.read_word(word.to_string(), &mut tokens, false),
                TokenTree::Group(group) => self.read_code(group.stream()),
                _ => {}
            }
        }
    }

    /// Takes in what begins with `word`: an import, a visibility, or a path.
    fn read_word(&mut self, word: String, tokens: &mut Tokens, names_items: bool) {
        if word == "use" {
            self.read_use(tokens, &mut Vec::new(), names_items);
        } else if word == "pub" {
            // `pub(in crate::sandbox)` imports nothing.
            if let Some(TokenTree::Group(group)) = tokens.peek()
                && group.delimiter() == Delimiter::Parenthesis
            {
                tokens.next();
            }
        } else {
            let mut path = vec![word];
            while path_goes_on(tokens) {
                match tokens.peek() {
                    Some(TokenTree::Ident(next)) => path.push(next.to_string()),
                    _ => break,
                }
                tokens.next();
            }
            if path.len() > 1 {
                self.used.insert(path);
            }
        }
    }

    /// Takes in a tree of imports below `prefix`, to its `;`, `,` or end.
    fn read_use(&mut self, tokens: &mut Tokens, prefix: &mut Segments, names_items: bool) {
        let depth = prefix.len();
        let mut name = None;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    name = tokens.next().map(|alias| alias.to_string());
                }
                TokenTree::Ident(word) => prefix.push(word.to_string()),
                TokenTree::Group(group) => {
                    let mut inner = group.stream().into_iter().peekable();
                    while inner.peek().is_some() {
                        self.read_use(&mut inner, prefix, names_items);
                    }
                    prefix.truncate(depth);
                }
                TokenTree::Punct(punct) => match punct.as_char() {
                    '*' => {
                        self.globs.push(prefix.clone());
                        prefix.truncate(depth);
                    }
                    ',' | ';' => break,
                    _ => {}
                },
                TokenTree::Literal(_) => {}
            }
        }
        if prefix.len() > depth {
            let mut path = prefix.clone();
            if path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            if let Some(last) = path.last()
                && names_items
            {
                let name = name.unwrap_or_else(|| last.clone());
                self.imported.insert(name, path.clone());
            }
            self.used.insert(path);
            prefix.truncate(depth);
        }
    }
}

/// Meaning of an attribute for this check.
enum Attribute {
    /// Its item is compiled for tests only.
    Test,
    /// Its module lies in this file.
    Path(String),
    Other,
}

/// Reads an attribute after its `#`.
fn attribute(tokens: &mut Tokens) -> Attribute {
    if matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == '!') {
        tokens.next();
    }
    let Some(TokenTree::Group(group)) =
        tokens.next_if(|token| matches!(token, TokenTree::Group(_)))
    else {
        return Attribute::Other;
    };
    let words: Vec<_> = group.stream().into_iter().collect();
    match words.as_slice() {
        [TokenTree::Ident(name), TokenTree::Group(condition)] if name == "cfg" => {
            let condition = condition.stream().to_string();
            if condition == "test" || condition.replace(' ', "").starts_with("all(test,") {
                Attribute::Test
            } else {
                Attribute::Other
            }
        }
        [
            TokenTree::Ident(name),
            TokenTree::Punct(_),
            TokenTree::Literal(path),
        ] if name == "path" => Attribute::Path(path.to_string().trim_matches('"').to_owned()),
        _ => Attribute::Other,
    }
}

/// Skips the rest of an item: to its block, or to one of the characters that `ends` lists.
fn skip_item(tokens: &mut Tokens, ends: &[char]) {
    for token in tokens.by_ref() {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(punct) if ends.contains(&punct.as_char()) => return,
            _ => {}
        }
    }
}

/// Reads `name;` or `name { … }` after `mod`.
fn declaration(tokens: &mut Tokens, path: Option<String>) -> Option<Declared> {
    let Some(TokenTree::Ident(name)) = tokens.next() else {
        return None;
    };
    let body = match tokens.next() {
        Some(TokenTree::Group(group)) => Some(group.stream()),
        _ => None,
    };
    Some(Declared {
        name: name.to_string(),
        body,
        path,
    })
}

/// The name after a keyword of [`DEFINING`]. `const fn name` is found at its `fn`.
fn defined_name(tokens: &mut Tokens) -> Option<String> {
    // `macro_rules! name`, `static mut NAME`.
    while tokens
        .next_if(|token| match token {
            TokenTree::Punct(punct) => punct.as_char() == '!',
            TokenTree::Ident(word) => word == "mut",
            _ => false,
        })
        .is_some()
    {}
    match tokens.peek() {
        Some(TokenTree::Ident(name)) => Some(name.to_string()),
        _ => None,
    }
}

/// Takes `::`, if it is next.
fn path_goes_on(tokens: &mut Tokens) -> bool {
    let colon =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    let mut ahead = tokens.clone();
    let found = ahead.next_if(colon).is_some() && ahead.next_if(colon).is_some();
    if found {
        *tokens = ahead;
    }
    found
}
