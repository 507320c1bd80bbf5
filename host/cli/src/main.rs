//! `ampoule`: the operator's command line.

#![forbid(unsafe_code)]

mod arguments;
mod built_in;
mod commands;
mod error;
mod images;
mod limit_options;
mod logging;
mod lower_limits;
mod lowered;
mod model_choice;
mod model_option;
mod output;
mod progress;
mod prompt;
mod settings;
mod texts;
mod trust_arguments;

use std::process::ExitCode;

use ampoule_command_line::{EarlyEnd, guarded};

use crate::arguments::{Arguments, Command};
use crate::error::Error;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if words
        .next()
        .is_some_and(|word| word == settings::COMPILE_WORKER)
    {
        return ampoule::compile_for_host(words);
    }
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(error) => return output::early_end(&EarlyEnd::from(&error)),
    };
    let json = arguments.json;
    match guarded(|| run(arguments)).unwrap_or_else(|panicked| Err(panicked.into())) {
        // Whoever closed the pipe has read what they wanted.
        Ok(()) | Err(Error::ClosedPipe) => ExitCode::SUCCESS,
        Err(error) => output::failure(&error, json),
    }
}

fn run(arguments: Arguments) -> Result<(), Error> {
    logging::start(arguments.verbose);
    // Looked at by those commands that need them: what a program can do does not hang on its settings.
    let settings = settings::Settings::resolve(&arguments);
    let at_most = arguments.for_this_call();
    // Guests run on the host's threads; this one only waits.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Error::Thread(error.to_string()))?;
    let json = arguments.json;
    let result = match arguments.command {
        Command::Ask(command) => runtime.block_on(commands::ask::run(command, &settings?, json)),
        Command::Classify(command) => {
            runtime.block_on(commands::classify::run(command, &settings?, json))
        }
        Command::Bench(command) => {
            runtime.block_on(commands::bench::run(command, &settings?, json))
        }
        Command::Embed(command) => {
            runtime.block_on(commands::embed::run(command, &settings?, json))
        }
        Command::Tokenize(command) => {
            runtime.block_on(commands::tokenize::run(command, &settings?, json))
        }
        Command::Inspect(command) => commands::inspect::run(command, &settings?, json),
        Command::Verify(command) => {
            runtime.block_on(commands::verify::run(command, &settings?, json))
        }
        Command::Cache(command) => commands::cache::run(&command, &settings?, json),
        Command::Trust(command) => commands::trust::run(command, &settings?, json),
        Command::Man(options) => commands::manual::man(&options, json),
        Command::Completions(options) => commands::manual::completions(&options, json),
    };
    result.map_err(|error| lower_limits::explain(error, at_most))
}
