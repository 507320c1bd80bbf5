//! Gauges of one moment: the host, the models and the process, read when they are asked for.

use std::fmt;

use ampoule::Host;
use ampoule_answers::Answers;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, EncodeMetric,
};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::metrics::labels::{LoadLabels, ModelLabel, ModelLabels, StateLabels};
use crate::metrics::process::{Process, ProcessNow};
use crate::models::{Entry, Models, Readiness};

/// Reads the host, the models and the process each time that it is encoded.
#[derive(Debug)]
pub(crate) struct Moment {
    host: Host,
    models: Models,
    process: Process,
    answers: Option<Answers>,
}

impl Moment {
    pub(crate) fn new(
        host: &Host,
        models: &Models,
        process: Process,
        answers: Option<&Answers>,
    ) -> Self {
        Self {
            host: host.clone(),
            models: models.clone(),
            process,
            answers: answers.cloned(),
        }
    }

    fn encode_answers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(answers) = &self.answers else {
            return Ok(());
        };
        let counts = answers.counts();
        for (name, help, value) in [
            (
                "ampoule_answers_entries",
                "Answers that are kept.",
                counts.entries,
            ),
            (
                "ampoule_answers_bytes",
                "Bytes of the answers that are kept.",
                counts.bytes,
            ),
            (
                "ampoule_answers_tenants",
                "Tenants with answers that are kept.",
                counts.tenants,
            ),
        ] {
            gauge(encoder, name, help, value)?;
        }
        for (name, help, value) in [
            (
                "ampoule_answers_kept",
                "Answers that were kept.",
                counts.kept,
            ),
            (
                "ampoule_answers_evicted",
                "Kept answers that had to make room.",
                counts.evicted,
            ),
            (
                "ampoule_answers_unreadable",
                "Kept answers that could not be opened, because their bytes were changed.",
                counts.unreadable,
            ),
        ] {
            let counter = ConstCounter::new(value);
            let family = encoder.encode_descriptor(name, help, None, counter.metric_type());
            counter.encode(family?)?;
        }
        Ok(())
    }

    fn encode_host(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let counters = self.host.counters();
        let (serving, loading) = (counters.serving, counters.loading);
        let gauges: [(&str, &str, usize); 6] = [
            (
                "ampoule_sandbox_requests_waiting",
                "Sandbox requests that wait for a thread.",
                serving.waiting,
            ),
            (
                "ampoule_sandbox_steps_waiting",
                "Next steps of sandbox requests that wait for a thread.",
                serving.waiting_steps,
            ),
            (
                "ampoule_sandbox_requests_running",
                "Sandbox requests that a guest works on.",
                serving.running,
            ),
            (
                "ampoule_sandboxes",
                "Sandboxes that are alive, those held for a next step included.",
                serving.sandboxes,
            ),
            ("ampoule_loads_running", "Loads that work.", loading.running),
            (
                "ampoule_loads_waiting",
                "Loads that wait for their turn.",
                loading.waiting,
            ),
        ];
        for (name, help, value) in gauges {
            gauge(encoder, name, help, value)?;
        }
        Ok(())
    }

    fn encode_models(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let entries = self.models.entries();
        let states = [
            Readiness::Loading,
            Readiness::Failed,
            Readiness::Ready,
            Readiness::Untrusted,
        ];
        let by_state = states.map(|state| {
            let count = entries.iter().filter(|entry| entry.readiness() == state);
            let labels = StateLabels {
                state: state.name(),
            };
            (labels, count.count())
        });
        gauges(
            encoder,
            "ampoule_models",
            "Models by state.",
            by_state.into_iter(),
        )?;
        let labels = |entry: &Entry| ModelLabels {
            model: ModelLabel(Some(entry.name.clone())),
        };
        let releases = entries.iter().filter_map(|entry| {
            let release = entry.model()?.facts().release;
            Some((labels(entry), release))
        });
        gauges(
            encoder,
            "ampoule_model_release",
            "The number of the release that serves.",
            releases,
        )?;
        let refused = entries
            .iter()
            .map(|entry| (labels(entry), u32::from(entry.refusal().is_some())));
        gauges(
            encoder,
            "ampoule_model_candidate_refused",
            "1 while the release in a model's place is refused and the one before it serves on.",
            refused,
        )?;
        let loads = entries.iter().flat_map(|entry| {
            let outcomes = [("loaded", entry.loaded()), ("failed", entry.failed())];
            outcomes.map(|(outcome, count)| {
                let model = ModelLabel(Some(entry.name.clone()));
                (LoadLabels { model, outcome }, count)
            })
        });
        counters(
            encoder,
            "ampoule_model_loads",
            "Loads of models that served requests afterwards or failed, and releases that took over.",
            loads,
        )
    }

    fn encode_process(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let now = ProcessNow::read();
        if let Some(time) = now.processor_time {
            let help = "Processor time of the process, in user and system mode.";
            let counter = ConstCounter::new(time.as_secs_f64());
            let family =
                encoder.encode_descriptor("process_cpu_seconds", help, None, counter.metric_type());
            counter.encode(family?)?;
        }
        if let Some(started) = self.process.started {
            let help = "Time at which the process began, in seconds since 1970.";
            let seconds = started.as_secs_f64();
            gauge(encoder, "process_start_time_seconds", help, seconds)?;
        }
        if let Some(resident) = now.resident {
            let help = "Memory of the process that is resident.";
            gauge(encoder, "process_resident_memory_bytes", help, resident)?;
        }
        if let Some(open) = now.open_descriptors {
            gauge(encoder, "process_open_fds", "Open descriptors.", open)?;
        }
        Ok(())
    }
}

impl Collector for Moment {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_host(&mut encoder)?;
        self.encode_models(&mut encoder)?;
        self.encode_answers(&mut encoder)?;
        self.encode_process(&mut encoder)
    }
}

pub(super) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    let family = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    gauge.encode(family)
}

fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl Iterator<Item = (L, V)>,
) -> fmt::Result {
    metrics(
        encoder,
        name,
        help,
        values.map(|(labels, value)| (labels, ConstGauge::new(value))),
    )
}

/// Encodes counters. The encoder appends `_total` to the name.
fn counters<L: EncodeLabelSet, V: EncodeCounterValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl Iterator<Item = (L, V)>,
) -> fmt::Result {
    metrics(
        encoder,
        name,
        help,
        values.map(|(labels, value)| (labels, ConstCounter::new(value))),
    )
}

fn metrics<L: EncodeLabelSet, M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl Iterator<Item = (L, M)>,
) -> fmt::Result {
    let mut values = values.peekable();
    // A family without a series is left out, its help too.
    let Some((_, first)) = values.peek() else {
        return Ok(());
    };
    let kind = first.metric_type();
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (labels, metric) in values {
        metric.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
