//! `man` and `completions`.

use std::io;

use ampoule_command_line::{Answer, CompletionsOptions, EXIT_STATUSES, ManOptions, Manual};
use ampoule_signing::{Error, Result};
use clap::CommandFactory as _;

use crate::arguments::Arguments;
use crate::password::{NEW_VARIABLE, VARIABLE};

pub(crate) fn man(options: &ManOptions) -> Result<Answer> {
    let statuses = EXIT_STATUSES
        .iter()
        .map(|exit| (exit.status, exit.to_string()));
    let manual = Manual::new(Arguments::command(), statuses)
        .with_variable(
            VARIABLE,
            "password-file",
            "The private key's password, where `--password-file` is not given.",
        )
        .with_variable(
            NEW_VARIABLE,
            "new-password-file",
            "The new password, where `--new-password-file` is not given.",
        );
    options
        .answer(&manual)
        .map_err(failed("write the manual pages"))
}

pub(crate) fn completions(options: &CompletionsOptions) -> Result<Answer> {
    options
        .answer(Arguments::command())
        .map_err(failed("write the completions"))
}

fn failed(doing: &str) -> impl FnOnce(io::Error) -> Error {
    let doing = doing.to_owned();
    move |source| Error::Io {
        doing,
        source: source.into(),
    }
}
