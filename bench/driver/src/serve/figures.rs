//! Throughput and times of the servers under load.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::load::{Turn, turn};
use super::server::{Kind, Server};
use super::task::{Turns, request};
use crate::statistics::median;

/// Texts that clients send by turns.
pub(super) const TEXTS: usize = 8;

/// Time before the clock runs: for threads, caches and connections.
const WARM_UP: Duration = Duration::from_millis(300);

/// Figures of one server for one length and one number of clients, over all turns.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figures {
    pub(super) server: &'static str,
    pub(super) tokens: usize,
    pub(super) clients: usize,
    pub(super) requests_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Lets so many clients ask the servers, by turns, for the vectors of texts of equally many tokens.
pub(super) fn measure(
    servers: &[(Kind, Server)],
    texts: &[String],
    (tokens, clients): (usize, usize),
    Turns { rounds, seconds }: Turns,
) -> Result<Vec<Figures>> {
    let mut turns: Vec<Vec<Turn>> = servers.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for ((kind, server), turns) in servers.iter().zip(&mut turns) {
            let requests: Vec<_> = texts.iter().map(|text| request(server, text)).collect();
            let load =
                |time| turn(server.address, &requests, clients, time).with_context(|| kind.name());
            load(WARM_UP)?;
            turns.push(load(Duration::from_secs(seconds))?);
        }
    }
    let figures = servers.iter().zip(turns).map(|((kind, _), turns)| {
        let rates = turns.iter().map(|turn| turn.per_second).collect();
        let mut times: Vec<f64> = turns.into_iter().flat_map(|turn| turn.ms).collect();
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
