//! `ampoule`: the operator's command line.

#![forbid(unsafe_code)]

mod age;
mod answer_cache;
mod answer_cache_options;
mod arguments;
mod audit_arguments;
mod audit_log;
mod audit_options;
mod audit_password;
mod auth_options;
mod built_in;
mod certificate_files;
mod commands;
mod config_file;
mod config_place;
mod config_value;
mod error;
mod host_options;
mod images;
mod keys_arguments;
mod limit_options;
mod listen_address;
mod logging;
mod lower_limits;
mod lowered;
mod model_choice;
mod model_option;
mod output;
mod panics;
mod progress;
mod prompt;
mod protection;
mod rate_limit_options;
mod secret_source;
mod served_model;
mod server_options;
mod settings;
mod termination;
mod texts;
mod tls_options;
mod token_options;
mod traces;
mod trust_arguments;
mod unknown_key;

use std::process::ExitCode;

use ampoule_command_line::{EarlyEnd, guarded};
use clap::CommandFactory as _;

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
        Err(error) => {
            return output::early_end(&EarlyEnd::new(
                &error,
                &Arguments::command(),
                std::env::args_os(),
            ));
        }
    };
    let json = arguments.json;
    match guarded(|| run(arguments)).unwrap_or_else(|panicked| Err(panicked.into())) {
        // Whoever closed the pipe has read what they wanted.
        Ok(()) | Err(Error::ClosedPipe) => ExitCode::SUCCESS,
        Err(error) => output::failure(&error, json),
    }
}

fn run(arguments: Arguments) -> Result<(), Error> {
    logging::start(arguments.verbose, arguments.server_log());
    // Looked at by those commands that need them: what a program can do does not hang on its settings.
    let settings = settings::Settings::resolve(&arguments);
    let at_most = arguments.for_this_call();
    // Guests run on the host's threads; this one only waits.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(thread)?;
    let json = arguments.json;
    let result = match arguments.command {
        Command::Ask(on) => runtime.block_on(commands::ask::run(on.command, &settings?, json)),
        Command::Classify(on) => {
            runtime.block_on(commands::classify::run(on.command, &settings?, json))
        }
        Command::Bench(on) => runtime.block_on(commands::bench::run(on.command, &settings?, json)),
        Command::Embed(on) => runtime.block_on(commands::embed::run(on.command, &settings?, json)),
        Command::Tokenize(on) => {
            runtime.block_on(commands::tokenize::run(on.command, &settings?, json))
        }
        Command::Serve(on) => {
            let server = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build();
            let server = server.map_err(thread)?;
            let result = server.block_on(commands::serve::run(on.command, &settings?, json));
            // Connections that are left are those that a drain gave up.
            server.shutdown_background();
            result
        }
        Command::Inspect(on) => commands::inspect::run(on.command, &settings?, json),
        Command::Verify(on) => {
            runtime.block_on(commands::verify::run(on.command, &settings?, json))
        }
        Command::Cache(command) => commands::cache::run(&command, &settings?, json),
        Command::Audit(command) => commands::audit::run(command, &settings?, json),
        Command::Keys(command) => commands::keys::run(command, &settings?, json),
        Command::Trust(command) => commands::trust::run(command, &settings?, json),
        Command::Man(options) => commands::manual::man(&options, json),
        Command::Completions(options) => commands::manual::completions(&options, json),
    };
    result.map_err(|error| lower_limits::explain(error, at_most))
}

fn thread(error: std::io::Error) -> Error {
    Error::Thread(error.to_string())
}
