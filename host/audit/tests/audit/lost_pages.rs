//! A disk that loses pages: one sync fails, and the next one succeeds without the pages, as Linux has it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use ampoule_audit::{FaultKind, LogSource, StateFile, Storage, Writer};

use crate::crashes::{again, batches};
use crate::logs::{at, expected_ids, fault, ids, marks, report, sealed, settings};
use crate::memory::{Failure, Memory, Shared};

/// Segments as a process sees them, and as a power cut would leave them.
#[derive(Default)]
struct Pages {
    seen: Shared,
    on_disk: Mutex<BTreeMap<u64, Vec<u8>>>,
    /// First byte of each segment that no sync has taken yet.
    unsynced: Mutex<BTreeMap<u64, usize>>,
    syncs: Mutex<usize>,
    /// Number of the sync that fails.
    fails: Option<usize>,
}

#[derive(Clone, Default)]
struct Lossy(Arc<Pages>);

impl Lossy {
    fn failing_at(sync: usize) -> Self {
        Self(Arc::new(Pages {
            fails: Some(sync),
            ..Pages::default()
        }))
    }

    fn length(&self, segment: u64) -> usize {
        let seen = self.0.seen.0.lock().unwrap();
        seen.segments.get(&segment).map_or(0, Vec::len)
    }

    fn spoil(&self, segment: u64, from: usize) {
        let mut unsynced = self.0.unsynced.lock().unwrap();
        let first = unsynced.entry(segment).or_insert(from);
        *first = from.min(*first);
    }

    fn after_a_power_cut(&self) -> Memory {
        let mut memory = self.0.seen.0.lock().unwrap().restarted();
        memory.segments.clone_from(&self.0.on_disk.lock().unwrap());
        memory
    }
}

impl LogSource for Lossy {
    fn segments(&self) -> io::Result<Vec<u64>> {
        self.0.seen.segments()
    }

    fn open(&self, segment: u64) -> io::Result<(Box<dyn Read + '_>, u64)> {
        self.0.seen.open(segment)
    }
}

impl Storage for Lossy {
    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.spoil(segment, self.length(segment));
        self.0.seen.clone().append(segment, bytes)
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        let mut syncs = self.0.syncs.lock().unwrap();
        *syncs += 1;
        // A failed sync takes the pages for written, too.
        let from = self.0.unsynced.lock().unwrap().remove(&segment);
        if self.0.fails == Some(*syncs - 1) {
            return Err(io::Error::from_raw_os_error(5));
        }
        if let Some(from) = from {
            let mut on_disk = self.0.on_disk.lock().unwrap();
            let on_disk = on_disk.entry(segment).or_default();
            on_disk.resize(from, 0);
            on_disk.extend_from_slice(&self.0.seen.0.lock().unwrap().segments[&segment][from..]);
        }
        Ok(())
    }

    fn truncate(&mut self, segment: u64, length: u64) -> io::Result<()> {
        let kept = usize::try_from(length).unwrap();
        if let Some(on_disk) = self.0.on_disk.lock().unwrap().get_mut(&segment) {
            on_disk.truncate(kept);
        }
        if let Some(from) = self.0.unsynced.lock().unwrap().get_mut(&segment) {
            *from = kept.min(*from);
        }
        self.0.seen.clone().truncate(segment, length)
    }

    fn publish(&mut self, pem: &str) -> io::Result<()> {
        self.0.seen.clone().publish(pem)
    }

    fn state(&self, file: StateFile) -> io::Result<Option<Vec<u8>>> {
        self.0.seen.state(file)
    }

    fn put_state(&mut self, file: StateFile, bytes: &[u8]) -> io::Result<()> {
        self.0.seen.clone().put_state(file, bytes)
    }

    fn advance_key(&mut self) -> io::Result<()> {
        self.0.seen.clone().advance_key()
    }

    fn remove_state(&mut self, file: StateFile) -> io::Result<()> {
        self.0.seen.clone().remove_state(file)
    }
}

/// Writes a log, and looks after each step at what a power cut would leave. Returns the number of failures.
fn write(lossy: &Lossy) -> usize {
    let mut failed = 0;
    let open = || Writer::open(lossy.clone(), settings(), at(0));
    let mut writer = open()
        .or_else(|error| {
            assert!(error.may_pass(), "{error}");
            failed += 1;
            open()
        })
        .unwrap();
    let check = |writer: &Writer<Lossy>| {
        let left = lossy.after_a_power_cut();
        assert_eq!(report(&left, &[writer.anchor()]).rows, writer.next_row());
        let next = Writer::open(left, settings(), at(9)).unwrap();
        assert_eq!(next.next_row(), writer.next_row());
    };
    check(&writer);
    for batch in &batches(0, 4) {
        again(&mut failed, || writer.append(batch, at(1)));
        check(&writer);
    }
    again(&mut failed, || writer.close(at(2)));
    check(&writer);
    let left = lossy.after_a_power_cut();
    assert_eq!(ids(&left, &marks(&left, &[])), expected_ids(8));
    failed
}

#[test]
fn a_sync_that_fails_once_and_loses_its_pages_takes_no_row_that_was_said_to_be_written() {
    let whole = Lossy::default();
    assert_eq!(write(&whole), 0);
    let syncs = *whole.0.syncs.lock().unwrap();
    assert!(
        whole.0.on_disk.lock().unwrap().len() > 1 && syncs > 8,
        "{syncs}"
    );
    for sync in 0..syncs {
        let lossy = Lossy::failing_at(sync);
        let failed = write(&lossy);
        // Sealed rows differ in length, so another run may have a segment less.
        let is_reached = *lossy.0.syncs.lock().unwrap() > sync;
        assert_eq!(failed, usize::from(is_reached), "sync {sync} of {syncs}");
    }
}

#[test]
fn frames_that_another_process_wrote_behind_a_failed_write_are_a_fault_and_stay() {
    for others in [1, 2] {
        let shared = Shared::default();
        let mut writer = Writer::open(shared.clone(), settings(), at(0)).unwrap();
        shared.0.lock().unwrap().fails = Some((0, Failure::Before));
        let batch = sealed(0, 2);
        assert!(writer.append(&batch, at(1)).unwrap_err().may_pass());
        let head = shared.0.lock().unwrap().state[&StateFile::Head].clone();
        let mut other = Writer::open(shared.clone(), settings(), at(2)).unwrap();
        for _ in 0..others {
            other.heartbeat(at(3)).unwrap();
        }
        // Somebody who only can write to the log leaves the head.
        shared.0.lock().unwrap().state.insert(StateFile::Head, head);
        let before = shared.0.lock().unwrap().restarted();
        assert_eq!(fault(writer.append(&batch, at(4))), FaultKind::Order);
        assert_eq!(shared.0.lock().unwrap().restarted(), before);
    }
}
