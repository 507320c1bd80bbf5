//! `ampoule man` and `ampoule completions`: the program describes itself.

use std::io;

use ampoule_command_line::{Answer, CompletionsOptions, EXIT_STATUSES, ManOptions, Manual};
use clap::CommandFactory as _;

use crate::arguments::Arguments;
use crate::error::Error;
use crate::output;

pub(crate) fn man(options: &ManOptions, json: bool) -> Result<(), Error> {
    let statuses = EXIT_STATUSES
        .iter()
        .map(|exit| (exit.status, exit.to_string()));
    let manual = Manual::new(Arguments::command(), statuses);
    show(options.answer(&manual), json)
}

pub(crate) fn completions(options: &CompletionsOptions, json: bool) -> Result<(), Error> {
    show(options.answer(Arguments::command()), json)
}

fn show(answer: io::Result<Answer>, json: bool) -> Result<(), Error> {
    let answer = answer.map_err(|error| Error::Write(error.kind().to_string()))?;
    if json {
        return output::json(&answer.json);
    }
    output::write(&format!("{}\n", answer.text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use clap::Command;

    use super::*;

    /// Lists this command and every command below it.
    fn all(command: &Command) -> Vec<&Command> {
        let below = command.get_subcommands().flat_map(all);
        std::iter::once(command).chain(below).collect()
    }

    fn program() -> Command {
        let program = Arguments::command().bin_name("ampoule");
        // `help` says what --help says.
        let mut program = program.disable_help_subcommand(true);
        program.build();
        program
    }

    #[test]
    fn every_command_has_an_example_that_parses() {
        for command in all(&program()) {
            let name = command.get_bin_name().unwrap();
            let help = command.get_after_help().unwrap().to_string();
            let lines = help.strip_prefix("Example:\n").unwrap();
            // A key's id and a digest are cut short there.
            let lines = lines.replace("\\\n", " ").replace("4f3c…", &"0".repeat(64));
            let mut examples = Vec::new();
            for line in lines.lines().filter(|line| line.starts_with("  ampoule ")) {
                let words = shlex::split(line).unwrap();
                let words = words.into_iter().take_while(|word| !word.starts_with('>'));
                Arguments::read_from(words).unwrap();
                examples.push(line.trim_start().to_owned());
            }
            let is_there = examples.iter().any(|example| example.starts_with(name));
            assert!(is_there, "{name} is not in its own example: {examples:?}");
        }
    }

    #[test]
    fn every_command_has_a_page_that_names_its_options_and_variables() {
        let program = program();
        let commands = all(&program);
        let pages = Manual::new(Arguments::command(), []).pages().unwrap();
        assert_eq!(pages.len(), commands.len());
        for (page, command) in pages.iter().zip(commands) {
            assert_eq!(Some(&*page.command), command.get_bin_name());
            let text = page.text.replace("\\-", "-");
            for argument in command.get_arguments() {
                let long = argument.get_long().map(|long| format!("\\fB--{long}\\fR"));
                let variable = argument
                    .get_env()
                    .map(|name| format!(".TP\n\\fB{}\\fR", name.to_string_lossy()));
                for expected in long.into_iter().chain(variable) {
                    assert!(text.contains(&expected), "{expected}: {text}");
                }
            }
            assert!(text.contains("\n.SH EXAMPLES\n"), "{text}");
        }
    }
}
