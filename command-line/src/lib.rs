//! Manual pages and shell completions of a program, made from the definition of its command line.
//!
//! `ampoule` and `ampoule-sign` both have the commands `man` and `completions`: [`ManOptions`] and
//! [`CompletionsOptions`] are what stands after them. What parses a command line is what its pages
//! are made of, so the pages name every option there is and no other.
//!
//! Two things that a definition does not hold are taken from where they are defined: the exit
//! statuses, and variables that are no option's own ([`Manual::with_variable`]). An example is what
//! stands below a command's help, after the line `Example:`.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a unit test fails by panicking")
)]

mod answer;
mod completions;
mod manual;
mod options;
mod page;
mod roff_text;

pub use answer::Answer;
pub use manual::{Manual, Page};
pub use options::{CompletionsOptions, ManOptions};
