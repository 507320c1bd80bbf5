//! Counts of the audit log, read when they are asked for.

use std::fmt;

use ampoule_audit::AuditState;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;

use crate::metrics::moment::gauge;

/// The state of the audit log at one moment.
#[derive(Debug)]
pub(crate) struct AuditMoment(pub(crate) AuditState);

impl Collector for AuditMoment {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(state) = self;
        for (name, help, count) in [
            (
                "ampoule_audit_rows",
                "Rows that this process has written to the audit log.",
                state.rows,
            ),
            (
                "ampoule_audit_rows_lost",
                "Rows of this process that are missing in the audit log.",
                state.lost,
            ),
        ] {
            let counter = ConstCounter::new(count);
            let family = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(family)?;
        }
        let waiting = u64::try_from(state.waiting).unwrap_or(u64::MAX);
        for (name, help, value) in [
            (
                "ampoule_audit_rows_waiting",
                "Rows that wait to be written, with those of running requests.",
                waiting,
            ),
            (
                "ampoule_audit_sequence",
                "The number of the last frame of the audit log.",
                state.last.seq,
            ),
            (
                "ampoule_audit_failing",
                "1 while the audit log cannot be written.",
                u64::from(state.failing.is_some()),
            ),
        ] {
            gauge(&mut encoder, name, help, value)?;
        }
        Ok(())
    }
}
