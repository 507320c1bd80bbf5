//! The commands of `ampoule-sign`, as it names them itself, and their examples: tests of all commands
//! take the list from here, and a new command is in it by being there.

use std::path::Path;
use std::sync::LazyLock;

use crate::command_line::{answer, json};

/// The words after the program's name.
pub(crate) type Words = Vec<String>;

/// A command of `ampoule-sign`, or the program itself.
pub(crate) struct Command {
    /// `["root", "sign"]`; none for the program itself.
    pub(crate) words: Words,
    /// The text of `--help`, without the example.
    pub(crate) help: String,
    /// The example, as it stands there.
    pub(crate) example: String,
}

/// Every command, the program itself first, each before those below it.
pub(crate) fn all() -> &'static [Command] {
    static ALL: LazyLock<Vec<Command>> = LazyLock::new(|| {
        let mut found = Vec::new();
        add(Vec::new(), &mut found);
        found
    });
    &ALL
}

fn add(words: Words, found: &mut Vec<Command>) {
    let dir = tempfile::tempdir().unwrap();
    let asked: Vec<&str> = words.iter().map(|word| &**word).chain(["--help"]).collect();
    let help = answer(dir.path(), &asked);
    let (help, example) = help
        .split_once("\nExample:\n")
        .unwrap_or_else(|| panic!("{words:?} has no example: {help}"));
    let command = Command {
        words,
        help: help.to_owned(),
        example: example.to_owned(),
    };
    let below: Vec<Words> = command
        .below()
        .map(|name| [&command.words[..], &[name.to_owned()]].concat())
        .collect();
    found.push(command);
    for words in below {
        add(words, found);
    }
}

impl Command {
    /// The commands that its help lists.
    pub(crate) fn below(&self) -> impl Iterator<Item = &str> {
        let (_, listed) = self.help.split_once("\nCommands:\n").unwrap_or_default();
        let listed = listed.split("\n\n").next().unwrap();
        listed
            .lines()
            // What is indented further goes on from the line before.
            .filter(|line| !line.starts_with("   "))
            .map(|line| line.split_whitespace().next().unwrap())
            .filter(|name| *name != "help")
    }

    /// The lines of its example, each in words as a shell makes them, without the program's name and
    /// without what the shell itself does (`> file`). Lines of other programs are left out.
    pub(crate) fn examples(&self) -> Vec<Words> {
        let lines = self.example.replace("\\\n", " ");
        let lines = lines
            .lines()
            .map(|line| shlex::split(line).unwrap_or_else(|| panic!("no shell reads {line:?}")));
        lines
            .filter(|line| {
                line.first()
                    .is_some_and(|program| program == "ampoule-sign")
            })
            .map(|line| {
                let redirection = line.iter().position(|word| word == ">");
                line[1..redirection.unwrap_or(line.len())].to_vec()
            })
            .collect()
    }
}

/// The manual's pages, by `man --dir`: the words of each command, and its text.
pub(crate) fn pages(dir: &Path) -> Vec<(Words, String)> {
    let written = json(dir, &["man", "--dir", "man1"]);
    let pages = written["pages"].as_array().unwrap().iter().map(|page| {
        let command = page["command"].as_str().unwrap();
        let words = command.split(' ').skip(1).map(str::to_owned).collect();
        let file = dir.join("man1").join(page["file"].as_str().unwrap());
        (words, std::fs::read_to_string(file).unwrap())
    });
    pages.collect()
}
