//! Servers side by side: sentence vectors over HTTP, by clients in a closed loop.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bench_engine::Numbers;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http_load::{Connection, post, turn};
use crate::http_server::{Kind, Server};
use crate::inputs::{self, Encoder};
use crate::machine;
use crate::repository::Repository;
use crate::statistics::{cosine, median};
use crate::workload::Workload;

/// Tokens of each text.
const TOKENS: [usize; 2] = [16, 128];

/// Clients at once.
const CLIENTS: [usize; 3] = [1, 8, 64];

/// Texts that clients send by turns.
const TEXTS: usize = 8;

/// The least cosine of a server's vector to the right one.
const LEAST_COSINE: f64 = 0.9999;

/// Figures of one server for one length and one number of clients, over all turns.
#[derive(Serialize)]
struct Figures {
    server: &'static str,
    tokens: usize,
    clients: usize,
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Measures all servers by turns, so that each meets the same drift of the machine. Prints a table and writes
/// `serve.json`.
pub(crate) fn bench(repository: &Repository, rounds: u32, seconds: u64) -> Result<()> {
    let workloads: Vec<Workload> = TOKENS
        .map(|tokens| Workload::Minilm {
            numbers: Numbers::F32,
            tokens,
            texts: 1,
        })
        .into();
    let inputs = inputs::prepare(repository, &workloads)?;
    let encoder = inputs.encoder.context("the encoder was not made")?;
    repository.build_commands()?;
    let servers: Vec<(Kind, Server)> = Kind::ALL
        .into_iter()
        .map(|kind| Ok((kind, Server::start(repository, kind, &encoder)?)))
        .collect::<Result<_>>()?;
    for (kind, server) in &servers {
        check(server, &encoder).with_context(|| format!("{} gives another vector", kind.name()))?;
    }
    let mut figures = Vec::new();
    for tokens in TOKENS {
        for clients in CLIENTS {
            eprintln!("{tokens} tokens, {clients} clients");
            figures.extend(measure(
                &servers,
                &encoder,
                tokens,
                clients,
                (rounds, seconds),
            )?);
        }
    }
    let memory: BTreeMap<&str, u64> = servers
        .iter()
        .map(|(kind, server)| Ok((kind.name(), server.memory()?)))
        .collect::<Result<_>>()?;
    println!("{}", table(&figures, &memory));
    let report = json!({
        "machine": machine::facts(), "rounds": rounds, "seconds": seconds, "figures": figures, "memory_bytes": memory,
    });
    let path = repository.output().join("serve.json");
    std::fs::write(&path, serde_json::to_string_pretty(&report)? + "\n")?;
    println!("{}", path.display());
    Ok(())
}

fn measure(
    servers: &[(Kind, Server)],
    encoder: &Encoder,
    tokens: usize,
    clients: usize,
    (rounds, seconds): (u32, u64),
) -> Result<Vec<Figures>> {
    let texts = encoder.texts(tokens, TEXTS).texts;
    let mut turns: Vec<(Vec<f64>, Vec<f64>)> = servers.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for ((_, server), (rates, times)) in servers.iter().zip(&mut turns) {
            let requests: Vec<_> = texts.iter().map(|text| request(server, text)).collect();
            // Before the clock runs: threads, caches and connections.
            turn(
                server.address,
                &requests,
                clients,
                Duration::from_millis(300),
            )?;
            let turn = turn(
                server.address,
                &requests,
                clients,
                Duration::from_secs(seconds),
            )?;
            rates.push(turn.per_second);
            times.extend(turn.ms);
        }
    }
    let figures = servers
        .iter()
        .zip(turns)
        .map(|((kind, _), (rates, mut times))| {
            times.sort_by(f64::total_cmp);
            Ok(Figures {
                server: kind.name(),
                tokens,
                clients,
                requests_per_second: median(rates).context("no turn")?,
                p50_ms: percentile(&times, 50).context("no request")?,
                p99_ms: percentile(&times, 99).context("no request")?,
            })
        });
    figures.collect()
}

/// Returns the smallest of the sorted times that so many of a hundred are not above.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let place = (sorted.len() * percent).div_ceil(100);
    sorted.get(place.saturating_sub(1)).copied()
}

fn request(server: &Server, text: &str) -> Vec<u8> {
    // Ampoule's server names the model by its directory; the other one takes any name.
    let body = json!({ "model": "bundle", "input": text });
    post(server.address, "/v1/embeddings", &body.to_string())
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

fn table(figures: &[Figures], memory: &BTreeMap<&str, u64>) -> String {
    let peer = |row: &Figures| {
        figures.iter().find(|other| {
            other.server == Kind::FastApi.name()
                && (other.tokens, other.clients) == (row.tokens, row.clients)
        })
    };
    let mut lines = vec![
        "| tokens | clients | server | requests/s | beside | p50 ms | p99 ms | beside |".to_owned(),
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |".to_owned(),
    ];
    for row in figures {
        let (rate, tail) = peer(row).map_or((f64::NAN, f64::NAN), |peer| {
            (
                row.requests_per_second / peer.requests_per_second,
                row.p99_ms / peer.p99_ms,
            )
        });
        let Figures {
            server,
            tokens,
            clients,
            requests_per_second,
            p50_ms,
            p99_ms,
        } = row;
        lines.push(format!(
            "| {tokens} | {clients} | {server} | {requests_per_second:.0} | {rate:.2} | {p50_ms:.2} | {p99_ms:.2} | \
             {tail:.2} |"
        ));
    }
    for (server, bytes) in memory {
        lines.push(format!("\n{server}: {} MiB", bytes >> 20));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&times, 50), Some(100.0));
        assert_eq!(percentile(&times, 99), Some(198.0));
        assert_eq!(percentile(&[3.0], 99), Some(3.0));
        assert_eq!(percentile(&[], 50), None);
    }
}
