//! `man` and `completions`.

use std::io;

use ampoule_manual::{CompletionsOptions, ManOptions, Manual};
use ampoule_signing::{EXIT_STATUSES, Error, Result};
use clap::CommandFactory as _;

use crate::arguments::Arguments;
use crate::output::Answer;
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
    answer(options.answer(&manual), "write the manual pages")
}

pub(crate) fn completions(options: &CompletionsOptions) -> Result<Answer> {
    answer(
        options.answer(Arguments::command()),
        "write the completions",
    )
}

fn answer(answer: io::Result<ampoule_manual::Answer>, doing: &str) -> Result<Answer> {
    match answer {
        Ok(ampoule_manual::Answer { text, json }) => Ok(Answer { text, json }),
        Err(source) => Err(Error::Io {
            doing: doing.to_owned(),
            source: source.into(),
        }),
    }
}
