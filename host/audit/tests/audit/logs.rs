//! Logs for the tests: a recipient, batches, and readings of them.

use std::sync::LazyLock;
use std::time::Duration;

use ampoule_audit::{
    Anchor, AuditKey, Error, Event, FaultKind, Identity, LogSource, Marks, Recipients, Report, Row,
    Rows, Sealed, Storage, Writer, WriterSettings, verify,
};
use ampoule_signing::Timestamp;
use ampoule_units::ByteSize;

use crate::memory::Memory;

pub(crate) static AUDITOR: LazyLock<Identity> = LazyLock::new(Identity::generate);

pub(crate) fn recipients() -> Recipients {
    Recipients::parse([&*AUDITOR.recipient()]).unwrap()
}

/// Settings by which a segment has room for about two small batches.
pub(crate) fn settings() -> WriterSettings {
    let mut settings = WriterSettings::new(recipients());
    settings.segment_bytes = ByteSize::from_bytes(1400);
    settings
}

/// A time in whole seconds after the first.
pub(crate) fn at(seconds: u64) -> Timestamp {
    let first: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
    first + Duration::from_secs(seconds)
}

pub(crate) fn open(memory: Memory) -> Writer<Memory> {
    Writer::open(memory, settings(), at(0)).unwrap()
}

/// Seals rows with these numbers.
pub(crate) fn sealed(first: u64, count: u32) -> Sealed {
    let mut lines = Vec::new();
    for number in first..first + u64::from(count) {
        let mut row = Row::new(Event::Request, at(number));
        row.id = Some(format!("id-{number}").as_str().into());
        let line = serde_json::to_string(&row).unwrap();
        lines.extend(format!("{{\"row\":{number},{}\n", &line[1..]).into_bytes());
    }
    recipients().seal(count, &lines).unwrap()
}

/// Writes batches of two rows.
pub(crate) fn write<S: Storage>(writer: &mut Writer<S>, batches: u64) {
    for _ in 0..batches {
        let batch = sealed(writer.next_row(), 2);
        writer.append(&batch, at(writer.next_row())).unwrap();
    }
}

pub(crate) fn root(memory: &Memory) -> AuditKey {
    AuditKey::from_pem(memory.published.as_ref().unwrap()).unwrap()
}

pub(crate) fn marks(memory: &Memory, anchors: &[Anchor]) -> Marks {
    Marks {
        root: Some(root(memory)),
        anchors: anchors.to_vec(),
        ..Marks::default()
    }
}

pub(crate) fn report(memory: &Memory, anchors: &[Anchor]) -> Report {
    verify(memory, &marks(memory, anchors)).unwrap()
}

#[track_caller]
pub(crate) fn fault<T>(result: Result<T, Error>) -> FaultKind {
    match result {
        Err(Error::Fault(fault)) => fault.kind,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("no fault was found"),
    }
}

/// Reads the ids of all rows.
pub(crate) fn ids(source: &impl LogSource, marks: &Marks) -> Vec<String> {
    Rows::new(source, marks, &AUDITOR)
        .unwrap()
        .map(|row| row.unwrap().row.row.id.unwrap().to_string())
        .collect()
}

pub(crate) fn expected_ids(count: u64) -> Vec<String> {
    (0..count).map(|number| format!("id-{number}")).collect()
}
