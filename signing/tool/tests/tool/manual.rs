//! `ampoule-sign man` and `completions`: what the program says of itself is what it does.

use std::collections::BTreeSet;
use std::path::Path;

use ampoule_command_line::EXIT_STATUSES;

use crate::command_line::{answer, assert_refused, command, json};
use crate::commands::{self, Command};
use crate::fixture::snapshot;

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// A page as a reader sees it, without roff's fonts and escapes.
fn plain(page: &str) -> String {
    let mut text = page.to_owned();
    for (roff, shown) in [
        (r"\fB", ""),
        (r"\fI", ""),
        (r"\fR", ""),
        (r"\-", "-"),
        (r"\\", r"\"),
        (r"\*(Aq", "'"),
        (r"\(ga", "`"),
        (r"\&...", "…"),
        (".SH \"EXIT STATUS\"", ".SH EXIT STATUS"),
        (".SH \"SEE ALSO\"", ".SH SEE ALSO"),
    ] {
        text = text.replace(roff, shown);
    }
    text
}

/// The lines of one section.
fn section<'page>(page: &'page str, name: &str) -> &'page str {
    let heading = format!("\n.SH {name}\n");
    let (_, rest) = page.split_once(&heading).unwrap_or_default();
    rest.split("\n.SH ").next().unwrap_or_default()
}

/// The options and the arguments that a help explains.
fn explained(help: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // What is indented further goes on from the line before.
    let lines = help
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("       "));
    for line in lines {
        let words = line.split_whitespace();
        match line.trim_start().chars().next() {
            Some('-') => found.extend(
                words
                    .map(|word| word.trim_end_matches([',', '.']))
                    .take_while(|word| word.starts_with('-'))
                    .map(str::to_owned),
            ),
            Some('<' | '[') => found.extend(
                words
                    .take(1)
                    .map(|word| word.trim_matches(['<', '>', '[', ']', '.']).to_owned()),
            ),
            _ => {}
        }
    }
    found
}

#[test]
fn every_command_has_a_page_that_explains_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let pages = commands::pages(dir.path());
    let described: Vec<_> = pages.iter().map(|(words, _)| words).collect();
    let commands: Vec<_> = commands::all().iter().map(|its| &its.words).collect();
    assert_eq!(described, commands);
    for (
        Command {
            words,
            help,
            example,
        },
        (_, page),
    ) in commands::all().iter().zip(&pages)
    {
        let text = plain(page);
        let options = section(&text, "OPTIONS");
        let explained = explained(help);
        assert!(explained.contains("--json"), "{help}");
        for name in explained {
            let is_there = |line: &str| {
                line.split([' ', ',', '[', ']', '<', '>', '|'])
                    .any(|word| word == name)
            };
            assert!(options.lines().any(is_there), "{words:?}: {name}: {text}");
        }
        let name = [&["ampoule-sign".to_owned()], &words[..]].concat();
        assert!(section(&text, "NAME").starts_with(&format!("{} - ", name.join("-"))));
        assert!(
            section(&text, "SYNOPSIS").starts_with(&name.join(" ")),
            "{text}"
        );
        for line in example.lines() {
            assert!(
                section(&text, "EXAMPLES").contains(line.trim_start()),
                "{line}: {text}"
            );
        }
    }
}

/// As man-pages(7) has them.
const SECTIONS: [&str; 9] = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "SUBCOMMANDS",
    "OPTIONS",
    "EXIT STATUS",
    "ENVIRONMENT",
    "EXAMPLES",
    "SEE ALSO",
];

#[test]
fn every_page_has_its_sections_in_order() {
    let dir = tempfile::tempdir().unwrap();
    for (command, (words, page)) in commands::all().iter().zip(commands::pages(dir.path())) {
        let found: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".SH "))
            .map(|name| name.trim_matches('"'))
            .collect();
        let has_commands = command.below().next().is_some();
        let reads_variables = page.contains("AMPOULE_");
        let expected = SECTIONS.into_iter().filter(|section| match *section {
            "SUBCOMMANDS" => has_commands,
            "ENVIRONMENT" => reads_variables,
            "SEE ALSO" => !words.is_empty(),
            _ => true,
        });
        assert_eq!(found, expected.collect::<Vec<_>>(), "{words:?}");
        let page = plain(&page);
        for exit in EXIT_STATUSES {
            let entry = format!("\n{}\n{}", exit.status, exit.meaning);
            assert!(section(&page, "EXIT STATUS").contains(&entry), "{page}");
        }
        let variables = |text: &str| -> BTreeSet<String> {
            text.split(|character: char| character != '_' && !character.is_ascii_uppercase())
                .filter(|word| word.starts_with("AMPOULE_"))
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(variables(&page), variables(section(&page, "ENVIRONMENT")));
        for above in (0..words.len()).map(|length| &words[..length]) {
            let name = [&["ampoule-sign".to_owned()], above].concat().join("-");
            let reference = format!("{name}(1)");
            assert!(section(&page, "SEE ALSO").contains(&reference), "{page}");
        }
    }
}

/// All files that `man --dir` writes, whatever the environment is.
fn written(dir: &Path, environment: &[(&str, &str)]) -> Vec<(String, String)> {
    let output = command(dir, &["man", "--dir", "pages/man1"])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let files = std::fs::read_dir(dir.join("pages/man1")).unwrap();
    let mut files: Vec<_> = files
        .map(|file| {
            let file = file.unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap();
            (file.file_name().into_string().unwrap(), text)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_same_program_writes_the_same_pages_on_any_day_and_machine() {
    let first = tempfile::tempdir().unwrap();
    let second = tempfile::tempdir().unwrap();
    let environment = [
        ("AMPOULE_TRUST", "of-this-machine"),
        ("COLUMNS", "20"),
        ("SOURCE_DATE_EPOCH", "1"),
    ];
    let pages = written(first.path(), &[]);
    assert_eq!(written(second.path(), &environment), pages);
    // And once more in their place.
    assert_eq!(written(first.path(), &[]), pages);
    for (file, page) in &pages {
        let title = page.lines().find(|line| line.starts_with(".TH ")).unwrap();
        let expected = format!(
            ".TH {} 1 \"\" \"ampoule-sign {}\" \"User Commands\"",
            file.strip_suffix(".1").unwrap().to_uppercase(),
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(title, expected);
        assert!(page.is_ascii(), "no page depends on an encoding");
    }
    assert_eq!(
        answer(first.path(), &["man"]),
        std::fs::read_to_string(first.path().join("pages/man1/ampoule-sign.1")).unwrap()
    );
}

#[test]
fn a_page_is_never_written_through_a_link() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("man1")).unwrap();
    std::fs::write(dir.path().join("elsewhere"), "precious").unwrap();
    let link = dir.path().join("man1/ampoule-sign.1");
    std::os::unix::fs::symlink("../elsewhere", &link).unwrap();
    answer(dir.path(), &["man", "--dir", "man1"]);
    assert!(!link.is_symlink());
    let elsewhere = std::fs::read_to_string(dir.path().join("elsewhere")).unwrap();
    assert_eq!(elsewhere, "precious");
    assert_refused(dir.path(), &["man", "--dir", "elsewhere"], "io.failed", 8);
}

#[test]
fn every_shell_gets_completions_for_every_command() {
    let dir = tempfile::tempdir().unwrap();
    for shell in SHELLS {
        let script = answer(dir.path(), &["completions", shell]);
        for word in commands::all().iter().flat_map(|command| &command.words) {
            assert!(script.contains(word), "{shell}: {word}");
        }
        let document = json(dir.path(), &["completions", shell]);
        assert_eq!(document["shell"], shell);
        assert_eq!(document["script"], script);
    }
    assert!(snapshot(dir.path()).len() == 1, "nothing is written");
    let named = format!("possible values: {}", SHELLS.join(", "));
    assert!(
        commands::all()
            .iter()
            .any(|command| command.help.contains(&named))
    );
    assert_refused(dir.path(), &["completions", "cobol"], "usage.arguments", 2);
}

#[test]
fn bash_completes_commands_and_options() {
    let dir = tempfile::tempdir().unwrap();
    let script = answer(dir.path(), &["completions", "bash"]);
    std::fs::write(dir.path().join("completions"), script).unwrap();
    let complete = |line: &[&str]| {
        let program = "source ./completions\n\
                       COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))\n\
                       completes=$(complete -p ampoule-sign | sed 's/.* -F \\([^ ]*\\) .*/\\1/')\n\
                       \"$completes\" ampoule-sign \"${!#}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n\
                       printf '%s\\n' \"${COMPREPLY[@]}\"";
        let output = std::process::Command::new("bash")
            .args(["--norc", "-e", "-u", "-c", program, "bash"])
            .args(line)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete(&["ampoule-sign", "cos"]), "cosign\n");
    assert_eq!(complete(&["ampoule-sign", "root", "add"]), "add-key\n");
    assert_eq!(
        complete(&["ampoule-sign", "root", "sign", "--all"]),
        "--allow-expired\n"
    );
    assert_eq!(complete(&["ampoule-sign", "completions", "z"]), "zsh\n");
}
