//! `cargo xtask`: set-up, guest builds, bundles, the demo, and everything that CI checks.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its user"
)]

mod audit;
mod bench;
mod built_in;
mod cargo_test;
mod ci;
mod clients;
mod debian;
mod demo;
mod digest;
mod eval;
mod guests;
mod minilm_bundle;
mod process;
mod remap;
mod setup;
mod signed_bundle;
mod simd;
mod soak;
mod test;
mod toolchain;
mod weights;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use ampoule_documents::promises;

use crate::minilm_bundle::Destination;
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
    /// Show the main job on real input: find the sentence that is nearest to a question
    Demo,
    /// Prepare what tests need, run all of them, and check the documents' promises
    Test {
        /// Given to `cargo test`, such as `-p ampoule-signing`
        #[arg(last = true)]
        cargo_arguments: Vec<String>,
    },
    /// Run everything that CI checks
    Ci,
    /// Make wasm32-wasip2 usable, and install the tools and clients that tests need
    Setup {
        /// Only make wasm32-wasip2 usable, which is all that the demo and the benchmark need
        #[arg(long)]
        guests: bool,
    },
    /// Build the guest components: the models, and the tests' hostile guests
    Guests {
        /// Build only these of the tests' guests
        names: Vec<String>,
    },
    /// Fetch the models' weights and check their digests
    Weights,
    /// Make a signed bundle with a throw-away key
    Bundle {
        #[command(subcommand)]
        model: BundledModel,
    },
    /// Ask the built-in model the questions of its evaluation, through the sandbox; fail below the
    /// bounds
    ///
    /// Asks some four thousand questions, prints the table of the model's card, and writes
    /// guest/models/tiny-vlm/eval/results.json, which tests hold the bundle and the card to. The bounds stand in
    /// tests/src/accuracy_bounds.rs. Run it after every change of the bundle or the questions, put the table into the
    /// card, and commit both.
    Eval {
        /// Ask only one question in so many, and write nothing if it is more than one
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        every: u32,
    },
    /// Measure Ampoule and its peers side by side: see bench/README.md
    #[command(disable_help_flag = true)]
    Bench {
        /// Given to the benchmark, such as `--workload gemm` or `--help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Ask a host good, bad and hostile requests in random order, while models and trust change; fail if an
    /// answer is wrong, or anything is lost or leaked
    Soak {
        /// For how long, after a minute that is not counted
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
        minutes: u32,
        /// Ask in the order of an earlier soak, which printed its seed
        #[arg(long)]
        seed: Option<u64>,
        /// Flood a server instead, with 10,000 connections, 100,000 requests for invented models, bodies of 2 GiB and
        /// vanishing clients
        #[arg(long, conflicts_with_all = ["minutes", "seed"])]
        serve: bool,
    },
    /// Look for known vulnerabilities in the dependencies
    Audit,
    /// Check the documents: every link leads somewhere, and a test that ran and passed keeps each promise
    Promises {
        /// Make docs/promises.md of docs/promises.toml, and check nothing
        #[arg(long)]
        write: bool,
    },
}

#[derive(Debug, Subcommand)]
enum BundledModel {
    /// The sentence encoder of the demo, with weights from a Python package
    Minilm {
        /// The bundle's folder; the trust directory goes beside it [default: target/demo/minilm]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// The model that is built into `ampoule`, with weights from this repository: makes
    /// host/cli/builtin/tiny-vlm anew
    ///
    /// Run it after every change of its guest, the kernels, their dependencies or the weights, and commit the result.
    TinyVlm,
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
        Command::Demo => demo::demo(&workspace),
        Command::Test { cargo_arguments } => test::test(&workspace, &cargo_arguments),
        Command::Ci => ci::ci(&workspace),
        Command::Setup { guests: true } => setup::for_guests(&workspace),
        Command::Setup { guests: false } => setup::setup(&workspace),
        Command::Guests { names } if names.is_empty() => guests::build_all(&workspace),
        Command::Guests { names } => names
            .iter()
            .try_for_each(|name| guests::build_test_guest(&workspace, name)),
        Command::Weights => weights::fetch(&workspace),
        Command::Bundle { model } => match model {
            BundledModel::Minilm { out } => {
                let destination = out.map_or_else(
                    || Destination::demo(&workspace),
                    |out| Destination::at(&out),
                );
                minilm_bundle::build(&workspace, &destination)
            }
            BundledModel::TinyVlm => built_in::make(&workspace),
        },
        Command::Eval { every } => eval::eval(&workspace, every),
        Command::Bench { arguments } => bench::bench(&workspace, &arguments),
        Command::Soak { serve: true, .. } => soak::flood(&workspace),
        Command::Soak { minutes, seed, .. } => soak::soak(&workspace, minutes, seed),
        Command::Audit => audit::audit(&workspace),
        Command::Promises { write: true } => promises::write(workspace.root()),
        Command::Promises { write: false } => {
            test::check_documents(&workspace, None)?;
            test::check_documents(&workspace, Some(&test::last_report(&workspace)?))
        }
    }
}
