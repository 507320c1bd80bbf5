//! One file a command.

pub(crate) mod ask;
pub(crate) mod bench;
pub(crate) mod bench_answers;
pub(crate) mod bench_metering;
pub(crate) mod cache;
pub(crate) mod classify;
pub(crate) mod embed;
pub(crate) mod inspect;
pub(crate) mod manual;
pub(crate) mod tokenize;
pub(crate) mod trust;
pub(crate) mod trust_releases;
pub(crate) mod trust_revocations;
pub(crate) mod trust_root;
pub(crate) mod verify;

use std::io::BufRead as _;

use crate::error::Error;

/// The texts of a command: its arguments, or the lines of standard input for `-`.
fn read_texts(arguments: Vec<String>) -> Result<Vec<String>, Error> {
    if arguments != ["-"] {
        return Ok(arguments);
    }
    std::io::stdin()
        .lock()
        .lines()
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Read {
            what: "standard input".to_owned(),
            reason: error.to_string(),
        })
}
