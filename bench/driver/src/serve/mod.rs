//! Servers side by side: sentence vectors over HTTP, by clients in a closed loop; and the cost of HTTP itself.

mod figures;
mod library;
mod load;
mod report;
mod server;
mod targets;
mod task;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::inputs::{self, Encoder};
use crate::machine;
use crate::repository::Repository;
use crate::statistics::cosine;

use load::Connection;
use report::Report;
use server::{Kind, Server};
use task::{LEAST_COSINE, TOKENS, request, workload};

pub(crate) use task::Turns;

/// Clients at once.
const CLIENTS: [usize; 3] = [1, 8, 64];

/// Measures all servers by turns, so that each meets the same drift of the machine. Prints a table and writes
/// `serve.json` and `serve.md`. A missed target is marked and no failure: a machine may be slow or busy.
pub(crate) fn bench(repository: &Repository, turns: Turns, with_infinity: bool) -> Result<()> {
    let inputs = inputs::prepare(repository, &TOKENS.map(workload))?;
    let encoder = inputs.encoder.as_ref();
    let encoder = encoder.context("the encoder was not made")?;
    repository.build_commands()?;
    let mut missing = BTreeMap::new();
    let mut servers = Vec::new();
    for kind in Kind::ALL {
        if kind == Kind::Infinity && !with_infinity {
            missing.insert(kind.name(), "not asked for (--infinity)".to_owned());
            continue;
        }
        match server::prepare(repository, kind, encoder) {
            Ok(prepared) => servers.push((kind, prepared.start(kind)?)),
            Err(reason) if kind.may_be_missing() => {
                eprintln!("{} is missing: {reason:#}", kind.name());
                missing.insert(kind.name(), format!("{reason:#}"));
            }
            Err(reason) => return Err(reason),
        }
    }
    for (kind, server) in &servers {
        check(server, encoder).with_context(|| format!("{} gives another vector", kind.name()))?;
    }
    let library = library::measure(repository, &inputs, &servers, turns)?;
    let mut figures = Vec::new();
    for tokens in TOKENS {
        for clients in CLIENTS {
            eprintln!("{tokens} tokens, {clients} clients");
            let (texts, load) = (
                encoder.texts(tokens, figures::TEXTS).texts,
                (tokens, clients),
            );
            figures.extend(figures::measure(&servers, &texts, load, turns)?);
        }
    }
    let memory = servers
        .iter()
        .map(|(kind, server)| Ok((kind.name(), server.memory()?)))
        .collect::<Result<_>>()?;
    let report = Report::new(machine::facts(), turns, figures, library, memory, missing);
    let (folder, text) = (repository.output(), report.markdown());
    let json = serde_json::to_string_pretty(&report)? + "\n";
    std::fs::write(folder.join("serve.json"), json)?;
    std::fs::write(folder.join("serve.md"), &text)?;
    println!("{text}\n{}", folder.join("serve.json").display());
    Ok(())
}

/// Compares a server's vectors with the right ones.
fn check(server: &Server, encoder: &Encoder) -> Result<()> {
    for tokens in TOKENS {
        let text = encoder.texts(tokens, 1).texts;
        let request = request(server, text.first().context("no text")?);
        let answer = Connection::open(server.address)?.ask(&request)?.to_vec();
        let answer: Value = serde_json::from_slice(&answer)?;
        let vector: Vec<f64> = serde_json::from_value(answer["data"][0]["embedding"].clone())?;
        let cosine = encoder
            .reference(tokens, 1)
            .and_then(|right| cosine(&vector, right));
        let cosine = cosine.context("a vector of another length")?;
        ensure!(cosine > LEAST_COSINE, "cosine {cosine} for {tokens} tokens");
    }
    Ok(())
}
