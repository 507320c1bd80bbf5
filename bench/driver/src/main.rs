//! Runs Ampoule and its peers side by side, in one run, by turns; or measures what sandboxes cost.
//!
//! Each engine is a program of its own that speaks the protocol of `bench/peers/engine`. All that can run a
//! workload prepare it, are checked to compute the same result, and are then asked by turns.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )
)]

mod bundles;
mod engine;
mod fetch;
mod figures;
mod inputs;
mod jobs;
mod machine;
mod measure;
mod plot;
mod process;
mod processor;
mod programs;
mod random_encoder;
mod reference;
mod report;
mod repository;
mod sandbox;
mod serve;
mod signing;
mod statistics;
mod table;
mod targets;
mod texts;
mod together;
mod worker;
mod workload;

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand};

use engine::Engine;
use report::Report;
use repository::Repository;
use workload::Workload;

/// Measures Ampoule and its peers side by side: writes report.json, a table and a plot into target/bench
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    peers: PeersArguments,
    #[command(subcommand)]
    subject: Option<Subject>,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Measure what sandboxes of models of 10, 100 and 400 MB cost beside bare instances, what loading them
    /// costs, and what metering costs them and all-MiniLM-L6-v2
    Sandbox {
        /// Measure each model so often; medians are printed
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
        repeat: u32,
    },
    /// Measure `ampoule serve` beside FastAPI and LitServe with ONNX Runtime: sentence vectors over HTTP on loopback, by 1,
    /// 8 and 64 clients that each send the next request when the answer to the last one is there; and beside the
    /// library's own call
    Serve {
        /// Turns of each server at each load; medians are printed
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// Seconds of each turn
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
        /// Measure infinity-emb too, for which 6 GB are fetched
        #[arg(long)]
        infinity: bool,
    },
}

/// The selection of workloads and engines.
#[derive(Debug, Args)]
struct PeersArguments {
    /// Only the workloads whose names begin like this; can be given again
    #[arg(long, value_name = "NAME")]
    workload: Vec<String>,
    /// Only this engine, `ampoule` beside it; can be given again
    #[arg(long, value_name = "NAME")]
    engine: Vec<Engine>,
    /// Turns of each engine at each workload
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

impl PeersArguments {
    fn wants(&self, workload: &Workload) -> bool {
        let name = workload.name();
        self.workload.is_empty() || self.workload.iter().any(|asked| name.starts_with(asked))
    }

    /// Ampoule and the native product always take part: ratios are of the others to these.
    fn wants_engine(&self, engine: Engine) -> bool {
        self.engine.is_empty()
            || self.engine.contains(&engine)
            || matches!(engine, Engine::Ampoule | Engine::GemmNative)
    }
}

fn main() -> ExitCode {
    let Arguments { peers, subject } = Arguments::parse();
    let result = Repository::find().and_then(|repository| match subject {
        None => bench(&repository, &peers),
        Some(Subject::Sandbox { repeat }) => sandbox::bench(&repository, repeat),
        Some(Subject::Serve {
            rounds,
            seconds,
            infinity,
        }) => serve::bench(&repository, serve::Turns { rounds, seconds }, infinity),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints a table, and writes `report.json`, `report.md` and `report.svg` into `target/bench`.
/// A missed target is marked and no failure: a machine may be slow or busy. An engine that fails, or
/// computes another result, is a failure.
fn bench(repository: &Repository, arguments: &PeersArguments) -> Result<()> {
    let workloads: Vec<Workload> = workload::all()
        .into_iter()
        .filter(|workload| arguments.wants(workload))
        .collect();
    ensure!(
        !workloads.is_empty(),
        "no workload's name begins like that; there are {}",
        workload::all()
            .iter()
            .map(Workload::name)
            .collect::<Vec<_>>()
            .join(", ")
    );
    let inputs = inputs::prepare(repository, &workloads)?;
    let programs = programs::Programs::prepare(repository, |engine| {
        arguments.wants_engine(engine)
            && workloads
                .iter()
                .any(|workload| workload.suits(engine).is_ok())
    })?;
    let mut measurement = measure::Measurement::new(&programs, &inputs, arguments.rounds);
    for workload in &workloads {
        eprintln!("{}", workload.name());
        measurement.measure(workload, |engine| arguments.wants_engine(engine));
    }
    let report = Report::new(measurement.finish(), machine::facts(), arguments.rounds);
    write(repository, &report)?;
    println!("{}", table::markdown(&report));
    println!("{}", repository.output().join("report.json").display());
    ensure!(
        report.errors.is_empty(),
        "some engines failed:\n{}",
        report.errors.join("\n")
    );
    Ok(())
}

fn write(repository: &Repository, report: &Report) -> Result<()> {
    let folder = repository.output();
    for (name, text) in [
        ("report.json", serde_json::to_string_pretty(report)? + "\n"),
        ("report.md", table::markdown(report)),
        ("report.svg", plot::svg(report)),
    ] {
        std::fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}
