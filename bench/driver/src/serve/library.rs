//! The library's own call beside the same request over HTTP, by turns.

use std::time::Instant;

use anyhow::{Context as _, Error, Result, ensure};
use bench_engine::NoFigure;
use serde::Serialize;

use super::load::Connection;
use super::server::{Kind, Server};
use super::task::{LEAST_COSINE, TOKENS, Turns, request, workload};
use crate::inputs::Inputs;
use crate::repository::Repository;
use crate::statistics::{cosine, median};
use crate::worker::Worker;
use crate::{jobs, machine, programs};

/// Pairs of turns in a round. HTTP costs less than the speed of a machine drifts by within seconds, so turns are short
/// and many.
const PAIRS: u32 = 10;

/// Rough length of a turn, in milliseconds, unless [`FEWEST_CALLS`] take longer.
const TURN_MS: f64 = 150.0;

/// Least number of calls of a turn that count.
const FEWEST_CALLS: usize = 5;

/// Greatest number of them.
const MOST_CALLS: usize = 50;

/// Calls of a turn that do not count: in the first ones, caches hold the data of the other side.
const WARM_UP: usize = 2;

/// The cost of HTTP to one client on a connection that is kept.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Added {
    pub(super) server: &'static str,
    pub(super) tokens: usize,
    #[serde(flatten)]
    pub(super) medians: Medians,
}

/// Medians of both sides.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Medians {
    /// Of the library's calls.
    pub(super) library_ms: f64,
    /// Of the requests over HTTP.
    pub(super) http_ms: f64,
    /// Of the differences, in microseconds, between the two medians of each pair of turns.
    pub(super) added_us: f64,
}

/// Times one text in the server and in a process of its own that has the library, with the host of the server.
pub(super) fn measure(
    repository: &Repository,
    inputs: &Inputs,
    servers: &[(Kind, Server)],
    turns: Turns,
) -> Result<Vec<Added>> {
    let mut all = Vec::new();
    for (kind, server) in servers {
        let Some(engine) = kind.library() else {
            continue;
        };
        let mut worker = Worker::start(programs::library(repository, engine)?)?;
        for tokens in TOKENS {
            eprintln!("{tokens} tokens, {} and its library", kind.name());
            prepare(&mut worker, inputs, tokens).with_context(|| engine.to_owned())?;
            let encoder = inputs.encoder.as_ref().context("no encoder")?;
            let texts = encoder.texts(tokens, 1).texts;
            let request = request(server, texts.first().context("no text")?);
            let mut http = Http {
                connection: Connection::open(server.address)?,
                request,
            };
            let medians = by_turns(
                turns.rounds * PAIRS,
                |calls| run(&mut worker, calls),
                |calls| http.run(calls),
            )?;
            all.push(Added {
                server: kind.name(),
                tokens,
                medians,
            });
        }
    }
    Ok(all)
}

/// Lets the library load the model, and compares its vector with the right one.
fn prepare(worker: &mut Worker, inputs: &Inputs, tokens: usize) -> Result<()> {
    let workload = workload(tokens);
    let job = jobs::job(&workload, machine::cores(), inputs).map_err(anyhow::Error::msg)?;
    let ready = worker.prepare(&job).map_err(NoFigure::into_error)?;
    let vector: Vec<f64> = ready.output.into_iter().map(f64::from).collect();
    let right = jobs::reference(&workload, inputs).context("no reference")?;
    let cosine = cosine(&vector, &right).context("a vector of another length")?;
    ensure!(cosine > LEAST_COSINE, "cosine {cosine} for {tokens} tokens");
    Ok(())
}

fn run(worker: &mut Worker, calls: usize) -> Result<Vec<f64>> {
    worker.run(calls).map_err(NoFigure::into_error)
}

/// A client with its one request.
struct Http {
    connection: Connection,
    request: Vec<u8>,
}

impl Http {
    /// Asks so many times, one after another; returns the milliseconds of each.
    fn run(&mut self, calls: usize) -> Result<Vec<f64>> {
        let ask = |_| {
            let begun = Instant::now();
            self.connection.ask(&self.request)?;
            Ok(begun.elapsed().as_secs_f64() * 1e3)
        };
        (0..calls).map(ask).collect()
    }
}

/// Gives both sides their turns. Each function makes so many calls and returns the milliseconds of each.
fn by_turns(
    pairs: u32,
    mut library: impl FnMut(usize) -> Result<Vec<f64>>,
    mut http: impl FnMut(usize) -> Result<Vec<f64>>,
) -> Result<Medians> {
    let one = median(library(FEWEST_CALLS)?).context("no call")?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small count, and a time is not negative"
    )]
    let calls = ((TURN_MS / one) as usize).clamp(FEWEST_CALLS, MOST_CALLS);
    let (mut inside, mut outside, mut differences) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        let mut own = || Ok::<_, Error>(library(WARM_UP + calls)?.split_off(WARM_UP));
        let mut asked = || Ok::<_, Error>(http(WARM_UP + calls)?.split_off(WARM_UP));
        // Each side goes first in every other pair.
        let (own, asked) = if pair % 2 == 0 {
            (own()?, asked()?)
        } else {
            let asked = asked()?;
            (own()?, asked)
        };
        let medians = median(own.clone()).zip(median(asked.clone()));
        let (own_ms, asked_ms) = medians.context("no call")?;
        differences.push((asked_ms - own_ms) * 1e3);
        inside.extend(own);
        outside.extend(asked);
    }
    Ok(Medians {
        library_ms: median(inside).context("no turn")?,
        http_ms: median(outside).context("no turn")?,
        added_us: median(differences).context("no turn")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_costs_what_it_adds_however_the_machine_drifts() {
        // A machine that gets slower from turn to turn, and a first call of each turn that waits for memory.
        let mut turn = 0.0;
        let mut machine = |calls: usize, added: f64| {
            turn += 1.0;
            let mut times = vec![5.0 + turn / 1000.0 + added; calls];
            times[0] += 100.0;
            Ok(times)
        };
        let machine = std::cell::RefCell::new(&mut machine);
        let medians = by_turns(
            30,
            |calls| (machine.borrow_mut())(calls, 0.0),
            |calls| (machine.borrow_mut())(calls, 0.12),
        )
        .unwrap();
        let added = medians.added_us;
        assert!((added - 120.0).abs() < 2.0, "{added}");
        assert!((5.0..5.1).contains(&medians.library_ms));
        assert!((5.12..5.22).contains(&medians.http_ms));
    }
}
