//! One manual page, with the sections that man-pages(7) names, in its order.

use std::io::{self, Write};

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::roff_text::portable;

/// The section for user commands.
const SECTION: &str = "1";

/// The empty date, in roff's quotes: without them the next argument would be taken for it. Without a date, the same
/// definition gives the same bytes on any day.
const NO_DATE: &str = r#""""#;

/// The line above the examples in a command's help.
const EXAMPLE: &str = "Example:\n";

/// An environment variable that stands for no option's value.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    /// The commands with this option read it.
    pub(crate) option: &'static str,
    pub(crate) help: &'static str,
}

/// One manual page.
#[derive(Clone, Debug)]
pub struct Page {
    /// The command, as it is called: `ampoule-sign root sign`.
    pub command: String,
    /// The page's file: `ampoule-sign-root-sign.1`.
    pub file: String,
    /// The page, in roff's `man` macros.
    pub text: String,
}

/// The page of a command that stands below others, of which the first is the program.
pub(crate) fn render(
    command: &Command,
    above: &[&Command],
    exit_statuses: &[(u8, String)],
    variables: &[Variable],
) -> io::Result<Page> {
    let program = above.first().copied().unwrap_or(command);
    let name = name(command);
    // As the help has it: the generator's own synopsis names every option.
    let mut described = command.clone();
    let usage = described.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let man = Man::new(described.override_usage(usage))
        .title(name.to_uppercase())
        .date(NO_DATE)
        .source(format!(
            "{} {}",
            program.get_name(),
            program.get_version().unwrap_or_default()
        ))
        .manual("User Commands");

    let mut text = Roff::new().render();
    add(&mut text, |to| man.render_title(to))?;
    add(&mut text, |to| man.render_name_section(to))?;
    add(&mut text, |to| man.render_synopsis_section(to))?;
    add(&mut text, |to| man.render_description_section(to))?;
    if command.has_subcommands() {
        add(&mut text, |to| man.render_subcommands_section(to))?;
    }
    let mut options = String::new();
    add(&mut options, |to| man.render_options_section(to))?;
    text.push_str(&with_subsections(command, options));
    for section in [
        exit_status(exit_statuses),
        environment(variables, command),
        examples(command),
        see_also(above),
    ] {
        add(&mut text, |to| section.to_writer(to))?;
    }
    Ok(Page {
        command: command.get_bin_name().unwrap_or(&name).to_owned(),
        file: format!("{name}.{SECTION}"),
        text: portable(&text),
    })
}

/// Returns the name of a command's page.
fn name(command: &Command) -> String {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned()
}

/// Adds a section without the lines that begin every document: they stand there once.
fn add(
    page: &mut String,
    section: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    section(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    let preamble = Roff::new().render();
    page.push_str(text.strip_prefix(&preamble).unwrap_or(&text));
    Ok(())
}

/// Puts the groups of options below OPTIONS, as in the help. The generator makes each a section like
/// those that every manual page has.
fn with_subsections(command: &Command, mut options: String) -> String {
    for heading in command.get_arguments().filter_map(Arg::get_help_heading) {
        let mut section = Roff::new();
        section.control("SH", [heading.to_uppercase().as_str()]);
        let mut subsection = Roff::new();
        subsection.control("SS", [heading]);
        options = options.replace(&section.to_roff(), &subsection.to_roff());
    }
    options
}

fn exit_status(statuses: &[(u8, String)]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (status, when) in statuses {
        roff.control("TP", []);
        roff.text([bold(status.to_string())]);
        roff.text([roman(when)]);
    }
    roff
}

/// Lists the variables that the command reads; empty where there are none.
fn environment(variables: &[Variable], command: &Command) -> Roff {
    let of_options = command.get_arguments().filter_map(|argument| {
        let name = argument.get_env()?.to_string_lossy().into_owned();
        let option = match argument.get_long() {
            Some(long) => format!("--{long}"),
            None => argument.get_id().to_string(),
        };
        Some((
            name,
            format!("Stands for `{option}` where that is not given."),
        ))
    });
    let others = variables.iter().filter(|variable| {
        let mut arguments = command.get_arguments();
        arguments.any(|argument| argument.get_long() == Some(variable.option))
    });
    let others = others.map(|variable| (variable.name.to_owned(), variable.help.to_owned()));
    let mut roff = Roff::new();
    for (place, (name, help)) in of_options.chain(others).enumerate() {
        if place == 0 {
            roff.control("SH", ["ENVIRONMENT"]);
        }
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(help)]);
    }
    roff
}

/// Copies the example from the help, line by line, without the help's indent.
fn examples(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let help = command.get_after_help().map(ToString::to_string);
    let Some(lines) = help.as_deref().and_then(|help| help.strip_prefix(EXAMPLE)) else {
        return roff;
    };
    roff.control("SH", ["EXAMPLES"]);
    roff.control("EX", []);
    for line in lines.lines() {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("EE", []);
    roff
}

/// Refers to the commands above this one; those below have a section of their own.
fn see_also(above: &[&Command]) -> Roff {
    let mut roff = Roff::new();
    let mut pages = Vec::new();
    for parent in above.iter().rev() {
        if !pages.is_empty() {
            pages.push(roman(", "));
        }
        pages.extend([bold(name(parent)), roman(format!("({SECTION})"))]);
    }
    if !pages.is_empty() {
        roff.control("SH", ["SEE ALSO"]);
        roff.text(pages);
    }
    roff
}
