//! `cargo xtask`: set-up, guest builds, bundles, the demo, and everything that CI checks.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its user"
)]

mod debian_source;
mod digest;
mod guests;
mod process;
mod setup;
mod simd;
mod standard_library;
mod weights;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Set-up, builds and checks of Ampoule.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make wasm32-wasip2 usable and check the tools that tests need
    Setup,
    /// Build the guest components: the models and the tests' hostile guests
    Guests,
    /// Fetch the models' weights and check their digests
    Weights,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let workspace = Workspace::load()?;
    match command {
        Command::Setup => setup::setup(&workspace),
        Command::Guests => guests::build_all(&workspace),
        Command::Weights => weights::fetch(&workspace),
    }
}
