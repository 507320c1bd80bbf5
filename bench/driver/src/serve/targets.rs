//! Targets of the server.

use std::collections::BTreeMap;

use super::figures::Figures;
use super::library::Added;
use super::server::Kind;
use crate::targets::Bound::{AtLeast, AtMost};
use crate::targets::Target;

/// Lists every target with its figure.
pub(super) fn targets(
    figures: &[Figures],
    library: &[Added],
    memory: &BTreeMap<&'static str, u64>,
) -> Vec<Target> {
    let (sandbox, kernels) = (Kind::Ampoule, Kind::AmpouleHostKernels);
    let rate = |kind: Kind, tokens| {
        over_fastapi(figures, kind.name(), (tokens, 8), |figures| {
            figures.requests_per_second
        })
    };
    let tail = |tokens| {
        over_fastapi(figures, kernels.name(), (tokens, 64), |figures| {
            figures.p99_ms
        })
    };
    let memory = |kind: Kind| {
        let bytes = |kind: Kind| memory.get(kind.name()).map(|bytes| *bytes as f64);
        Some(bytes(kind)? / bytes(Kind::FastApi)?)
    };
    let added = library
        .iter()
        .find(|added| (added.server, added.tokens) == (kernels.name(), 16));
    vec![
        Target::new(
            "host kernels at 16 tokens and 8 clients, requests a second over FastAPI's",
            AtLeast(1.5),
            rate(kernels, 16),
        ),
        Target::new(
            "host kernels at 128 tokens and 8 clients, requests a second over FastAPI's",
            AtLeast(1.0),
            rate(kernels, 128),
        ),
        Target::new(
            "sandbox only at 16 tokens and 8 clients, requests a second over FastAPI's",
            AtLeast(0.7),
            rate(sandbox, 16),
        ),
        Target::new(
            "sandbox only at 128 tokens and 8 clients, requests a second over FastAPI's",
            AtLeast(0.4),
            rate(sandbox, 128),
        ),
        Target::new(
            "host kernels at 16 tokens and 64 clients, p99 over FastAPI's",
            AtMost(1.0),
            tail(16),
        ),
        Target::new(
            "host kernels at 128 tokens and 64 clients, p99 over FastAPI's",
            AtMost(1.0),
            tail(128),
        ),
        Target::new(
            "host kernels, memory over FastAPI's",
            AtMost(0.4),
            memory(kernels),
        ),
        Target::new(
            "sandbox only, memory over FastAPI's",
            AtMost(0.4),
            memory(sandbox),
        ),
        Target::new(
            "HTTP added to the library's own call, host kernels at 16 tokens, p50 in µs",
            AtMost(150.0),
            added.map(|added| added.medians.added_us),
        ),
    ]
}

/// Returns a figure beside FastAPI's at the same load.
pub(super) fn over_fastapi(
    figures: &[Figures],
    server: &str,
    load: (usize, usize),
    figure: impl Fn(&Figures) -> f64,
) -> Option<f64> {
    let of = |server: &str| {
        let found = figures
            .iter()
            .find(|figures| figures.server == server && (figures.tokens, figures.clients) == load);
        found.map(&figure)
    };
    Some(of(server)? / of(Kind::FastApi.name())?)
}

#[cfg(test)]
mod tests {
    use super::super::library::Medians;
    use super::*;
    use crate::targets::Verdict;

    /// Figures of a server that is this much faster than FastAPI.
    fn figures(kind: Kind, tokens: usize, clients: usize, faster: f64) -> Figures {
        Figures {
            server: kind.name(),
            tokens,
            clients,
            requests_per_second: 100.0 * faster,
            p50_ms: 40.0 / faster,
            p99_ms: 80.0 / faster,
        }
    }

    fn verdicts(
        figures: &[Figures],
        library: &[Added],
        memory: &[(Kind, u64)],
    ) -> Vec<(Option<f64>, Verdict)> {
        let memory = memory.iter().map(|(kind, bytes)| (kind.name(), *bytes));
        targets(figures, library, &memory.collect())
            .into_iter()
            .map(|target| (target.figure, target.verdict))
            .collect()
    }

    #[test]
    fn what_was_not_measured_is_neither_passed_nor_missed() {
        assert_eq!(verdicts(&[], &[], &[]), [(None, Verdict::NotMeasured); 9]);
    }

    #[test]
    fn each_target_reads_the_figure_that_it_names() {
        let mut all = Vec::new();
        for (tokens, clients) in [(16, 8), (128, 8), (16, 64), (128, 64), (16, 1)] {
            all.push(figures(Kind::FastApi, tokens, clients, 1.0));
            all.push(figures(Kind::LitServe, tokens, clients, 9.0));
        }
        all.push(figures(Kind::AmpouleHostKernels, 16, 1, 9.0));
        all.push(figures(Kind::AmpouleHostKernels, 16, 8, 1.6));
        all.push(figures(Kind::AmpouleHostKernels, 128, 8, 0.9));
        all.push(figures(Kind::Ampoule, 16, 8, 0.75));
        all.push(figures(Kind::Ampoule, 128, 8, 0.25));
        all.push(figures(Kind::AmpouleHostKernels, 16, 64, 2.0));
        all.push(figures(Kind::AmpouleHostKernels, 128, 64, 0.5));
        let added = |server: Kind, tokens, added_us| Added {
            server: server.name(),
            tokens,
            medians: Medians {
                library_ms: 3.0,
                http_ms: 3.1,
                added_us,
            },
        };
        let library = [
            added(Kind::Ampoule, 16, 1000.0),
            added(Kind::AmpouleHostKernels, 128, 1000.0),
            added(Kind::AmpouleHostKernels, 16, 149.0),
        ];
        let memory = [
            (Kind::FastApi, 400),
            (Kind::AmpouleHostKernels, 100),
            (Kind::Ampoule, 200),
        ];
        let (pass, miss) = (Verdict::Pass, Verdict::Miss);
        assert_eq!(
            verdicts(&all, &library, &memory),
            [
                (Some(1.6), pass),
                (Some(0.9), miss),
                (Some(0.75), pass),
                (Some(0.25), miss),
                (Some(0.5), pass),
                (Some(2.0), miss),
                (Some(0.25), pass),
                (Some(0.5), miss),
                (Some(149.0), pass),
            ]
        );
    }
}
