//! The part of a command line that `ampoule` and `ampoule-sign` have in common, so that whoever knows one knows the
//! other.
//!
//! ```text
//! exit_code                 the exit status for each family of error codes
//! json_switch               the words and the variable that ask for JSON
//! early_end                 help, version and command lines that do not parse
//! answer, json_line         an answer for people and for programs; JSON that is safe in a terminal
//! output                    prints an answer or an error, and gives the exit status
//! panicked                  a panic as an error
//! named_file                adds the path to an error about a file
//! confirm                   a question that only `yes` answers
//! cap_options, delegation_options
//!                           options that both commands have
//! manual_pages, page, roff_text, completions, manual_options
//!                           manual pages and shell completions, made from the definition of the command line
//! ```
//!
//! The commands and this crate see clap; nothing below them does.
//!
//! # Manual pages
//!
//! Both commands have `man` and `completions`, with [`ManOptions`] and [`CompletionsOptions`]. Pages are made from
//! the definition that parses the command line, so they name every option there is and no other. Two things that a
//! definition lacks are added: the exit statuses, and variables that are no option's own ([`Manual::with_variable`]).
//! The text below a command's help, after the line `Example:`, is the page's example.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a unit test fails by panicking")
)]

mod answer;
mod cap_options;
mod completions;
mod confirm;
mod delegation_options;
mod early_end;
mod exit_code;
mod json_line;
mod json_switch;
mod manual_options;
mod manual_pages;
mod named_file;
mod output;
mod page;
mod panicked;
mod roff_text;

pub use answer::Answer;
pub use cap_options::CapOptions;
pub use confirm::is_answered_yes;
pub use delegation_options::{DelegationOptions, parse_threshold};
pub use early_end::EarlyEnd;
pub use exit_code::{EXIT_STATUSES, ExitStatus, exit_code_for};
pub use json_line::to_json_line;
pub use json_switch::{JSON_VARIABLE, parse_switch};
pub use manual_options::{CompletionsOptions, ManOptions};
pub use manual_pages::Manual;
pub use named_file::{about, shown_path};
pub use output::{print, print_early_end, print_error, print_json};
pub use page::Page;
pub use panicked::{Panicked, guarded};
