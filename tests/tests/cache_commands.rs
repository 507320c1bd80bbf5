//! The cache of compiled models at the command line.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use ampoule_tests::{
    CacheDirectory, EntryParts, Operator, WrittenBundle, ampoule, assert_fails, json_of,
    set_last_use, set_mode, test_guest,
};
use serde_json::Value;

/// An operator with a cache and a model of their own.
struct Machine {
    operator: Operator,
    cache: CacheDirectory,
    bundle: WrittenBundle,
}

impl Machine {
    fn new() -> Self {
        let operator = Operator::new();
        let bundle = operator.publisher().bundle(test_guest("prepares"));
        Self {
            bundle: bundle.file("data.bin", vec![1, 20, 100]).write(),
            operator,
            cache: CacheDirectory::new(),
        }
    }

    /// Makes one whose cache has the model.
    fn with_entry() -> Self {
        let machine = Self::new();
        assert_answers(&machine.embed(&[]));
        assert_eq!(machine.cache.entries().len(), 1);
        machine
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.operator.ampoule(arguments);
        command.env("AMPOULE_CACHE", self.cache.path());
        command
    }

    /// Asks the model.
    fn embed(&self, more: &[&str]) -> Output {
        self.embed_command(more).output().unwrap()
    }

    fn embed_command(&self, more: &[&str]) -> Command {
        let mut command = self.command(&["embed", "--json", "x", "--model"]);
        command.arg(self.bundle.path()).args(more);
        command
    }

    /// Runs `ampoule cache`.
    fn cache(&self, arguments: &[&str]) -> Output {
        let arguments = [&["cache"], arguments].concat();
        self.command(&arguments).output().unwrap()
    }
}

#[track_caller]
fn assert_answers(output: &Output) {
    let document = json_of(output);
    assert!(output.status.success(), "{document}");
    let values = document["embeddings"][0].as_array().unwrap();
    let first: Vec<_> = values[..3].iter().map(|v| v.as_f64().unwrap()).collect();
    assert_eq!(first, [1.0, 1.0, 121.0]);
}

/// Lists the lines about the cache on standard error.
fn warnings(output: &Output) -> Vec<String> {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    let lines = stderr
        .lines()
        .filter(|line| line.contains("ampoule::cache"));
    lines.map(str::to_owned).collect()
}

fn text(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap()
}

fn entries(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    json_of(output)["entries"].as_array().unwrap().clone()
}

fn flip(file: &Path, place: impl FnOnce(&[u8]) -> usize) {
    let mut bytes = fs::read(file).unwrap();
    let place = place(&bytes);
    bytes[place] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn what_is_kept_is_listed_verified_and_cleared() {
    let machine = Machine::with_entry();
    let identity = machine.cache.entry();
    let identity = identity.file_stem().unwrap().to_str().unwrap();
    let size = fs::metadata(machine.cache.entry()).unwrap().len();
    for command in ["list", "verify"] {
        let found = entries(&machine.cache(&[command, "--json"]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["identity"], identity);
        assert_eq!(found[0]["model"], "acme/test 1.0.0");
        assert_eq!(found[0]["size"], size);
        assert!(found[0]["created"].as_str().unwrap().starts_with("20"));
        assert!(found[0]["used"].as_str().unwrap().starts_with("20"));
        assert_eq!(found[0]["problem"], Value::Null);
        let output = machine.cache(&[command]);
        let line = text(&output);
        assert_eq!(line.lines().count(), 1);
        assert!(line.starts_with(&identity[..16]), "{line}");
        assert!(line.contains("\"acme/test 1.0.0\""), "{line}");
    }
    assert_eq!(json_of(&machine.cache(&["clear", "--json"]))["removed"], 1);
    assert_eq!(fs::read_dir(machine.cache.path()).unwrap().count(), 0);
    assert_eq!(text(&machine.cache(&["clear"])), "0 entries removed\n");
    assert_eq!(text(&machine.cache(&["list"])), "the cache is empty\n");
    assert!(entries(&machine.cache(&["verify", "--json"])).is_empty());
    assert_answers(&machine.embed(&[]));
    assert_eq!(machine.cache.entries().len(), 1);
}

#[test]
fn a_bad_entry_is_found_by_verify_and_replaced_with_a_warning_when_the_model_is_loaded() {
    let machine = Machine::with_entry();
    let entry = machine.cache.entry();
    flip(&entry, |bytes| bytes.len() - 1);
    assert_fails(&machine.cache(&["verify", "--json"]), "file.cache-entry", 3);
    let verify = machine.cache(&["verify"]);
    assert_eq!(verify.status.code(), Some(3));
    let said = String::from_utf8(verify.stdout).unwrap();
    assert!(said.contains("bad: \"its authentication code"), "{said}");
    // To list is to believe what an entry says, and to verify changes nothing.
    assert_eq!(
        entries(&machine.cache(&["list", "--json"]))[0]["problem"],
        Value::Null
    );

    let output = machine.embed(&[]);
    assert_answers(&output);
    let warnings = warnings(&output);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("an entry was removed"), "{warnings:?}");
    assert!(!warnings[0].contains("/tmp/"), "{warnings:?}");
    assert!(machine.cache(&["verify"]).status.success());
}

#[test]
fn what_does_not_belong_in_a_cache_hides_nothing_and_can_be_cleared() {
    let machine = Machine::with_entry();
    let put = |name: &str| machine.cache.path().join(name);
    symlink("/nowhere", put("a link.code")).unwrap();
    fs::write(put("steers\u{1b}[31m.code"), "no entry").unwrap();
    fs::write(put("note"), "anything").unwrap();
    for command in ["list", "verify"] {
        let output = machine.cache(&[command]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(shown.lines().count(), 3, "{shown}");
        assert_eq!(shown.matches("bad: ").count(), 2, "{shown}");
        assert!(shown.contains("acme/test 1.0.0"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
    assert_answers(&machine.embed(&[]));
    // Neither a key that cannot be used nor a link keeps anybody from beginning anew.
    set_mode(&put("key"), 0o644);
    assert_fails(
        &machine.cache(&["verify", "--json"]),
        "trust.permissions",
        3,
    );
    assert_eq!(json_of(&machine.cache(&["clear", "--json"]))["removed"], 3);
    assert_eq!(fs::read_dir(machine.cache.path()).unwrap().count(), 0);
}

#[test]
fn where_the_cache_is_comes_from_the_option_the_variable_the_file_or_the_users_directory() {
    let machine = Machine::new();
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    let config = place("ampoule.toml");
    fs::write(
        &config,
        format!("cache = {:?}\n", place("from-file").to_str().unwrap()),
    )
    .unwrap();
    set_mode(&config, 0o600);
    let used = |command: &mut Command| {
        assert_answers(&command.output().unwrap());
        let places = [
            "option",
            "variable",
            "from-file",
            "xdg/ampoule",
            "home/.cache/ampoule",
        ];
        let used: Vec<_> = places
            .into_iter()
            .filter(|name| place(name).join("key").exists())
            .collect();
        for name in &used {
            fs::remove_dir_all(place(name)).unwrap();
        }
        used
    };
    // Each with all that comes after it.
    let mut settings = vec!["option", "variable", "file", "xdg", "home"];
    for expected in [
        "option",
        "variable",
        "from-file",
        "xdg/ampoule",
        "home/.cache/ampoule",
    ] {
        let mut command = machine.embed_command(&[]);
        command.env_remove("AMPOULE_CACHE");
        command.env_remove("XDG_CACHE_HOME").env_remove("HOME");
        for setting in &settings {
            match *setting {
                "option" => command.arg("--cache").arg(place("option")),
                "variable" => command.env("AMPOULE_CACHE", place("variable")),
                "file" => command.arg("--config").arg(&config),
                "xdg" => command.env("XDG_CACHE_HOME", place("xdg")),
                _ => command.env("HOME", place("home")),
            };
        }
        assert_eq!(used(&mut command), [expected]);
        // A path that is not absolute is none, as the specification has it.
        if expected == "xdg/ampoule" {
            command.env("XDG_CACHE_HOME", "xdg");
            assert_eq!(used(&mut command), ["home/.cache/ampoule"]);
        }
        settings.remove(0);
    }

    // A service need not have a home.
    let homeless = || {
        let mut command = machine.embed_command(&[]);
        command.env_remove("AMPOULE_CACHE");
        command.env_remove("XDG_CACHE_HOME").env_remove("HOME");
        command
    };
    assert!(used(&mut homeless()).is_empty());
    let mut list = ampoule();
    list.args(["cache", "list", "--json"]);
    list.env_remove("AMPOULE_CACHE");
    list.env_remove("XDG_CACHE_HOME").env_remove("HOME");
    assert_fails(&list.output().unwrap(), "usage.cache", 2);
}

#[test]
fn without_the_cache_nothing_is_kept_and_nothing_that_is_kept_is_taken() {
    let machine = Machine::new();
    assert_answers(&machine.embed(&["--no-cache"]));
    let mut by_variable = machine.embed_command(&[]);
    by_variable.env("AMPOULE_NO_CACHE", "1");
    assert_answers(&by_variable.output().unwrap());
    assert!(!machine.cache.path().exists());

    // Without the weights, only the cache can answer.
    let machine = Machine::with_entry();
    fs::remove_file(machine.bundle.path().join("data.bin")).unwrap();
    assert_answers(&machine.embed(&[]));
    assert_fails(&machine.embed(&["--no-cache"]), "file.missing", 3);
    let list = machine.cache(&["list", "--json", "--no-cache"]);
    assert_fails(&list, "usage.cache", 2);
}

#[test]
fn a_full_disk_costs_time_and_nothing_else() {
    // No file may become longer than the code, which an entry is by its header.
    let machine = Machine::with_entry();
    let entry = fs::read(machine.cache.entry()).unwrap();
    let limit = entry.len() - EntryParts::of(&entry).code;
    assert_eq!(text(&machine.cache(&["clear"])), "1 entries removed\n");

    let embed = machine.embed_command(&[]);
    let mut limited = Command::new("sh");
    // The signal would end the program; with it ignored, writing fails as on a full disk.
    limited
        .args(["-c", "trap '' XFSZ; exec prlimit --fsize=\"$0\" \"$@\""])
        .arg(limit.to_string())
        .arg(embed.get_program())
        .args(embed.get_args());
    for (name, value) in embed.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    for _ in 0..2 {
        let output = limited.output().unwrap();
        assert_answers(&output);
        let warnings = warnings(&output);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("the code cannot be kept"),
            "{warnings:?}"
        );
        assert!(machine.cache.entries().is_empty());
    }
    let left: Vec<_> = fs::read_dir(machine.cache.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .filter(|name| name != "key" && !name.to_string_lossy().ends_with(".lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_answers(&machine.embed(&[]));
    assert_eq!(machine.cache.entries().len(), 1);
}

#[test]
fn a_cache_that_cannot_be_used_is_told_of_once() {
    let machine = Machine::with_entry();
    set_mode(machine.cache.path(), 0o777);
    let output = machine.embed(&[]);
    assert_answers(&output);
    let warnings = warnings(&output);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("trust.permissions"), "{warnings:?}");
    assert!(!warnings[0].contains("/tmp/"), "{warnings:?}");
    assert_fails(&machine.cache(&["list", "--json"]), "trust.permissions", 3);
}

const DAY: Duration = Duration::from_hours(24);

#[test]
fn the_list_shows_when_an_entry_was_last_used() {
    let machine = Machine::with_entry();
    set_last_use(&machine.cache.entry(), 40 * DAY);
    let used = || {
        let listed = entries(&machine.cache(&["list", "--json"]));
        listed[0]["used"].as_str().unwrap().to_owned()
    };
    let long_ago = used();
    // To look at it is not to use it.
    machine.cache(&["verify"]);
    assert_eq!(used(), long_ago);
    assert_answers(&machine.embed(&[]));
    assert!(used() > long_ago, "{long_ago}");
    let day = &used()[..10];
    let listed = machine.cache(&["list"]);
    assert!(text(&listed).contains(&format!("used {day}")), "{listed:?}");
}

#[test]
fn prune_removes_what_is_over_the_bounds_and_says_what() {
    let machine = Machine::with_entry();
    let prune = |arguments: &[&str]| {
        let arguments = [&["prune", "--json"], arguments].concat();
        let removed = json_of(&machine.cache(&arguments));
        removed["removed"].as_array().unwrap().clone()
    };
    let entry = machine.cache.entry();
    let kept = fs::read(&entry).unwrap();
    assert!(prune(&[]).is_empty());
    assert_eq!(text(&machine.cache(&["prune"])), "0 entries removed\n");
    set_last_use(&entry, 91 * DAY);
    assert!(prune(&["--cache-age", "92d"]).is_empty());
    let removed = prune(&[]);
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0]["model"], "acme/test 1.0.0");
    assert!(machine.cache.entries().is_empty());

    fs::write(&entry, kept).unwrap();
    set_mode(&entry, 0o600);
    let output = machine.cache(&["prune", "--cache-size", "1KiB"]);
    assert!(text(&output).contains("\"acme/test 1.0.0\""), "{output:?}");
    assert!(
        text(&output).ends_with("\n1 entries removed\n"),
        "{output:?}"
    );
    assert!(machine.cache.entries().is_empty());
}

#[test]
fn the_bounds_of_the_cache_come_from_the_option_the_variable_or_the_file() {
    let machine = Machine::with_entry();
    let entry = machine.cache.entry();
    let kept = fs::read(&entry).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("ampoule.toml");
    let (large, small) = (["cache-size", "1GiB"], ["cache-size", "1KiB"]);
    let (long, short) = (["cache-age", "30d"], ["cache-age", "12h"]);
    for [above, below] in [[large, small], [long, short]] {
        let [key, value] = below;
        fs::write(&config, format!("{key} = {value:?}\n")).unwrap();
        set_mode(&config, 0o600);
        let variable = format!("AMPOULE_{}", key.to_uppercase().replace('-', "_"));
        let removed = |more: &dyn Fn(&mut Command)| {
            fs::write(&entry, &kept).unwrap();
            set_mode(&entry, 0o600);
            set_last_use(&entry, DAY);
            let mut prune = machine.command(&["cache", "prune", "--json"]);
            more(&mut prune);
            let output = prune.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            json_of(&output)["removed"].as_array().unwrap().len()
        };
        let option = format!("--{key}");
        let by_file = |prune: &mut Command| {
            prune.arg("--config").arg(&config);
        };
        let by_variable = |prune: &mut Command, value: &str| {
            prune.env(&variable, value);
        };
        let by_option = |prune: &mut Command, value: &str| {
            prune.args([&*option, value]);
        };
        assert_eq!(removed(&|prune| by_option(prune, value)), 1);
        assert_eq!(removed(&|prune| by_variable(prune, value)), 1);
        assert_eq!(removed(&by_file), 1);
        // Each comes before the one below it.
        let [_, higher] = above;
        let variable_over_file = |prune: &mut Command| {
            by_file(prune);
            by_variable(prune, higher);
        };
        assert_eq!(removed(&variable_over_file), 0);
        let option_over_variable = |prune: &mut Command| {
            by_variable(prune, value);
            by_option(prune, higher);
        };
        assert_eq!(removed(&option_over_variable), 0);
    }
    for (option, value) in [("--cache-size", "much"), ("--cache-age", "90")] {
        let output = machine.cache(&["prune", "--json", option, value]);
        assert_fails(&output, "usage.arguments", 2);
    }
}

#[test]
fn a_model_that_is_too_large_for_the_cache_answers_with_a_warning() {
    let machine = Machine::new();
    for _ in 0..2 {
        let output = machine.embed(&["--cache-size", "1KiB"]);
        assert_answers(&output);
        let warnings = warnings(&output);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("the cache's bound"), "{warnings:?}");
        assert!(machine.cache.entries().is_empty());
    }
}

#[test]
fn a_process_that_evicts_while_others_load_loses_nobody_an_answer() {
    let machine = Machine::new();
    let loads = || (0..4).for_each(|_| assert_answers(&machine.embed(&[])));
    std::thread::scope(|scope| {
        let loads = [scope.spawn(loads), scope.spawn(loads)];
        while loads.iter().any(|load| !load.is_finished()) {
            text(&machine.cache(&["prune", "--cache-size", "1KiB"]));
        }
    });
}

#[test]
fn the_examples_of_the_cache_commands_do_what_they_say() {
    let machine = Machine::with_entry();
    let mut examples = 0;
    for command in [&[][..], &["list"], &["verify"], &["prune"], &["clear"]] {
        let help = machine.cache(&[command, &["--help"]].concat());
        let help = text(&help);
        let (_, example) = help.split_once("Example:\n").unwrap();
        for line in example.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            assert_eq!(words[..2], ["ampoule", "cache"], "{line}");
            text(&machine.cache(&words[2..]));
            examples += 1;
        }
    }
    assert_eq!(examples, 7);
    assert!(machine.cache.entries().is_empty());
}
