//! `cargo xtask bench`: Ampoule and its peers side by side, in one run, by turns.
//!
//! Each engine is a program of its own that speaks the protocol of `bench/peers/engine`. All that can run a
//! workload get ready for it, are checked for computing the same, and are then asked by turns.

mod bundles;
mod engine;
mod fetch;
mod figures;
mod inputs;
mod jobs;
mod machine;
mod measure;
mod plot;
mod processor;
mod programs;
mod report;
mod statistics;
mod table;
mod targets;
mod together;
mod worker;
mod workload;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::workspace::Workspace;

use engine::Engine;
use report::Report;
use workload::Workload;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct PeersArguments {
    /// Only the workloads whose names begin like this; can be given again
    #[arg(long, value_name = "NAME")]
    workload: Vec<String>,
    /// Only this engine, `ampoule` beside it; can be given again
    #[arg(long, value_name = "NAME")]
    engine: Vec<Engine>,
    /// How often each engine has its turn at each workload
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

impl PeersArguments {
    fn wants(&self, workload: &Workload) -> bool {
        let name = workload.name();
        self.workload.is_empty() || self.workload.iter().any(|asked| name.starts_with(asked))
    }

    /// The others are measured beside Ampoule or beside the native product: without those there are no
    /// ratios.
    fn wants_engine(&self, engine: Engine) -> bool {
        self.engine.is_empty()
            || self.engine.contains(&engine)
            || matches!(engine, Engine::Ampoule | Engine::GemmNative)
    }
}

/// Where everything goes that is fetched, built or found.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.output().join("bench")
}

/// Measures, prints a table, and writes `report.json`, `report.md` and `report.svg` into `target/bench`.
/// What is missed is marked and no failure: a machine may be slow or busy. An engine that fails, or
/// computes something else, is one.
pub(crate) fn bench(workspace: &Workspace, arguments: &PeersArguments) -> Result<()> {
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
    let inputs = inputs::prepare(workspace, &workloads)?;
    let programs = programs::Programs::prepare(workspace, |engine| {
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
    write(workspace, &report)?;
    println!("{}", table::markdown(&report));
    println!(
        "{}",
        workspace.relative(&folder(workspace).join("report.json"))
    );
    ensure!(
        report.errors.is_empty(),
        "some engines failed:\n{}",
        report.errors.join("\n")
    );
    Ok(())
}

fn write(workspace: &Workspace, report: &Report) -> Result<()> {
    let folder = folder(workspace);
    std::fs::create_dir_all(&folder)?;
    for (name, text) in [
        ("report.json", serde_json::to_string_pretty(report)? + "\n"),
        ("report.md", table::markdown(report)),
        ("report.svg", plot::svg(report)),
    ] {
        std::fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}
