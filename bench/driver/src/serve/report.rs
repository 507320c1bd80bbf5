//! The report, as `target/bench/serve.json` and `serve.md` have it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::figures::Figures;
use super::library::Added;
use super::server::Kind;
use super::targets::{over_fastapi, targets};
use super::task::Turns;
use crate::machine::Machine;
use crate::table::{self, line, number};
use crate::targets::Target;

/// The report.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    machine: Machine,
    /// Turns of each server at each load.
    rounds: u32,
    /// Seconds of each turn.
    seconds: u64,
    figures: Vec<Figures>,
    /// Cost of HTTP over the library's own call.
    library: Vec<Added>,
    /// Memory of all processes of each server after the last turn.
    memory_bytes: BTreeMap<&'static str, u64>,
    targets: Vec<Target>,
    /// Reason for each server that is not there.
    missing: BTreeMap<&'static str, String>,
}

impl Report {
    pub(super) fn new(
        machine: Machine,
        Turns { rounds, seconds }: Turns,
        figures: Vec<Figures>,
        library: Vec<Added>,
        memory_bytes: BTreeMap<&'static str, u64>,
        missing: BTreeMap<&'static str, String>,
    ) -> Self {
        Self {
            machine,
            rounds,
            seconds,
            targets: targets(&figures, &library, &memory_bytes),
            figures,
            library,
            memory_bytes,
            missing,
        }
    }

    /// Makes tables of the targets and of all figures.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!(
            "# Servers side by side\n\n{}, {} cores, {}. {} rounds, in which each server has a turn of {} s at each load; \
             requests a second are medians of the turns.\n\n",
            self.machine.processor.name,
            self.machine.cores,
            self.machine.system,
            self.rounds,
            self.seconds
        );
        table::targets(&mut text, &self.targets);
        self.loads(&mut text);
        text.push_str(
            "\n## One client, beside the library's own call\n\n| tokens | server | library p50, ms | HTTP p50, ms | added, µs \
             |\n| ---: | --- | ---: | ---: | ---: |\n",
        );
        for row in &self.library {
            let cells = [
                row.tokens.to_string(),
                row.server.to_owned(),
                number(Some(row.medians.library_ms), 3),
                number(Some(row.medians.http_ms), 3),
                number(Some(row.medians.added_us), 0),
            ];
            line(&mut text, &cells.each_ref().map(String::as_str));
        }
        text.push_str("\n## Memory\n\n| server | MiB | of FastAPI's |\n| --- | ---: | ---: |\n");
        let yardstick = self.memory_bytes.get(Kind::FastApi.name());
        for (server, bytes) in &self.memory_bytes {
            let beside = yardstick.map(|yardstick| *bytes as f64 / *yardstick as f64);
            let cells = [&(bytes >> 20).to_string(), &number(beside, 2)];
            line(&mut text, &[server, cells[0], cells[1]]);
        }
        for (server, reason) in &self.missing {
            let _ = writeln!(text, "\n{server} is missing: {}", reason.replace('\n', " "));
        }
        text
    }

    fn loads(&self, text: &mut String) {
        text.push_str(
            "\n## Loads\n\n| tokens | clients | server | requests/s | of FastAPI's | p50, ms | p99, ms | of FastAPI's |\n\
             | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |\n",
        );
        for row in &self.figures {
            let beside = |figure: fn(&Figures) -> f64| {
                over_fastapi(&self.figures, row.server, (row.tokens, row.clients), figure)
            };
            let cells = [
                row.tokens.to_string(),
                row.clients.to_string(),
                row.server.to_owned(),
                number(Some(row.requests_per_second), 0),
                number(beside(|figures| figures.requests_per_second), 2),
                number(Some(row.p50_ms), 2),
                number(Some(row.p99_ms), 2),
                number(beside(|figures| figures.p99_ms), 2),
            ];
            line(text, &cells.each_ref().map(String::as_str));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::library::Medians;
    use super::*;
    use crate::machine;

    #[test]
    fn every_figure_is_in_the_report_beside_fastapis_and_each_target_with_its_verdict() {
        let figures = |kind: Kind, requests_per_second, p99_ms| Figures {
            server: kind.name(),
            tokens: 16,
            clients: 8,
            requests_per_second,
            p50_ms: 2.0,
            p99_ms,
        };
        let report = Report::new(
            machine::facts(),
            Turns {
                rounds: 3,
                seconds: 5,
            },
            vec![
                figures(Kind::FastApi, 100.0, 40.0),
                figures(Kind::AmpouleHostKernels, 300.0, 10.0),
            ],
            vec![Added {
                server: Kind::AmpouleHostKernels.name(),
                tokens: 16,
                medians: Medians {
                    library_ms: 3.0,
                    http_ms: 3.2,
                    added_us: 201.4,
                },
            }],
            BTreeMap::from([
                (Kind::FastApi.name(), 400 << 20),
                (Kind::AmpouleHostKernels.name(), 100 << 20),
            ]),
            BTreeMap::from([(Kind::LitServe.name(), "no\nnetwork".to_owned())]),
        );
        let text = report.markdown();
        for part in [
            "| host kernels at 16 tokens and 8 clients, requests a second over FastAPI's | ≥ 1.500 | 3.000 | pass |",
            "p50 in µs | ≤ 150.000 | 201.400 | **miss** |",
            "| 16 | 8 | Ampoule, host kernels | 300 | 3.00 | 2.00 | 10.00 | 0.25 |",
            "| 16 | Ampoule, host kernels | 3.000 | 3.200 | 201 |",
            "| Ampoule, host kernels | 100 | 0.25 |",
            "LitServe + ONNX Runtime is missing: no network",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["targets"][0]["verdict"], "pass");
        assert_eq!(json["library"][0]["added_us"], 201.4);
        assert_eq!(json["figures"][1]["requests_per_second"], 300.0);
    }
}
