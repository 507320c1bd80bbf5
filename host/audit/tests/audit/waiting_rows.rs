//! Rows that wait: in bounded memory, in order, and none is forgotten without a word.

use std::thread;
use std::time::{Duration, Instant};

use ampoule_audit::{
    Audit, AuditSettings, Event, NumberedRow, OnFailure, Row, Rows, Unavailable, Writer, verify,
};
use ampoule_signing::Timestamp;
use ampoule_units::ByteSize;

use crate::logs::{AUDITOR, at, marks, settings};
use crate::memory::Shared;

const PATIENCE: Duration = Duration::from_secs(30);

fn quick() -> AuditSettings {
    let mut settings = AuditSettings::default();
    settings.flush_interval = Duration::from_millis(5);
    settings
}

fn start(shared: &Shared, audit: AuditSettings) -> Audit {
    let mut settings = settings();
    settings.segment_bytes = ByteSize::from_bytes(4 << 10);
    let writer = Writer::open(shared.clone(), settings, at(0)).unwrap();
    Audit::start(writer, audit).unwrap()
}

fn row(id: &str) -> Row {
    let mut row = Row::new(Event::Request, Timestamp::now());
    row.id = Some(id.into());
    row
}

fn rows(shared: &Shared, audit: &Audit) -> Vec<NumberedRow> {
    let memory = shared.0.lock().unwrap().clone();
    let marks = marks(&memory, &[audit.anchor()]);
    let read = Rows::new(&memory, &marks, &AUDITOR).unwrap();
    read.map(|row| row.unwrap().row).collect()
}

#[track_caller]
fn wait_until(what: &str, is_true: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn fill(shared: &Shared, is_full: bool) {
    shared.0.lock().unwrap().is_full = is_full;
}

#[test]
fn rows_of_many_threads_are_in_the_log_once_and_in_each_threads_order() {
    let shared = Shared::default();
    let audit = start(&shared, quick());
    thread::scope(|scope| {
        for thread in 0..8 {
            let audit = &audit;
            scope.spawn(move || {
                for index in 0..500 {
                    let permit = loop {
                        match audit.reserve() {
                            Ok(permit) => break permit,
                            Err(Unavailable) => thread::sleep(Duration::from_millis(1)),
                        }
                    };
                    permit.send(row(&format!("{thread}-{index:03}")));
                }
            });
        }
    });
    assert!(audit.close(PATIENCE));
    let rows = rows(&shared, &audit);
    assert_eq!(rows.len(), 4002);
    assert_eq!(audit.state().rows, 4002);
    assert_eq!((audit.state().lost, audit.state().waiting), (0, 0));
    let (first, last) = (&rows[0].row, &rows[4001].row);
    assert_eq!((first.event, last.event), (Event::Start, Event::Stop));
    for thread in 0..8 {
        let own = rows
            .iter()
            .filter_map(|row| row.row.id.as_ref())
            .filter(|id| id.as_str().starts_with(&format!("{thread}-")));
        let expected = (0..500).map(|index| format!("{thread}-{index:03}"));
        assert!(own.map(ToString::to_string).eq(expected), "{thread}");
    }
    assert!(shared.0.lock().unwrap().segments.len() > 1);
}

#[test]
fn no_more_rows_are_let_in_than_memory_is_set_aside_for() {
    let shared = Shared::default();
    let mut settings = quick();
    settings.memory = ByteSize::from_bytes(10 * ampoule_audit::MAX_ROW_BYTES as u64);
    let audit = start(&shared, settings);
    let mut permits: Vec<_> = std::iter::from_fn(|| audit.reserve().ok()).collect();
    assert_eq!(permits.len(), 10);
    // A permit that is given up makes room at once, and a row once it is written.
    drop(permits.pop());
    permits.push(audit.reserve().unwrap());
    permits.pop().unwrap().send(row("one"));
    wait_until("the row is written", || audit.reserve().is_ok());
    drop(permits);
    assert!(audit.close(PATIENCE));
    assert_eq!(rows(&shared, &audit).len(), 3);
}

#[test]
fn nothing_is_let_in_while_rows_cannot_be_written_and_what_was_let_in_is_kept() {
    let shared = Shared::default();
    let audit = start(&shared, quick());
    let early = audit.reserve().unwrap();
    let late = audit.reserve().unwrap();
    fill(&shared, true);
    early.send(row("early"));
    wait_until("the failure shows", || audit.state().failing.is_some());
    assert_eq!(audit.state().failing, Some("io.audit"));
    assert_eq!(audit.reserve().unwrap_err(), Unavailable);
    late.send(row("late"));
    fill(&shared, false);
    wait_until("rows are written again", || audit.reserve().is_ok());
    assert!(audit.close(PATIENCE));
    let ids: Vec<_> = rows(&shared, &audit)
        .iter()
        .filter_map(|row| row.row.id.clone())
        .map(|id| id.to_string())
        .collect();
    assert_eq!(ids, ["early", "late"]);
    assert_eq!(audit.state().lost, 0);
}

#[test]
fn something_that_happens_anyway_is_counted_where_its_row_has_no_room() {
    let shared = Shared::default();
    let audit = start(&shared, quick());
    audit.record(row("written"));
    wait_until("the row is written", || audit.state().rows == 2);
    assert!(!audit.is_refusing());
    fill(&shared, true);
    audit.record(row("kept"));
    wait_until("the failure shows", || audit.is_refusing());
    for _ in 0..3 {
        audit.record(row("missing"));
    }
    assert_eq!(audit.state().lost, 3);
    fill(&shared, false);
    assert!(audit.close(PATIENCE));
    let rows = rows(&shared, &audit);
    let told: Vec<_> = rows.iter().filter_map(|row| row.row.lost_rows).collect();
    assert_eq!(told, [3]);
    let ids = rows.iter().filter_map(|row| row.row.id.as_ref());
    let ids: Vec<_> = ids.map(|id| id.as_str()).collect();
    assert_eq!(ids, ["written", "kept"]);
}

#[test]
fn rows_without_room_are_counted_and_the_log_tells_of_them_when_work_goes_on() {
    let shared = Shared::default();
    let mut settings = quick();
    settings.on_failure = OnFailure::Continue;
    settings.memory = ByteSize::from_bytes(10 * ampoule_audit::MAX_ROW_BYTES as u64);
    let audit = start(&shared, settings);
    fill(&shared, true);
    audit.reserve().unwrap().send(row("0"));
    wait_until("the failure shows", || audit.state().failing.is_some());
    for index in 1..2000 {
        audit.reserve().unwrap().send(row(&index.to_string()));
    }
    let lost = audit.state().lost;
    assert!(lost > 0 && lost < 1990, "{lost}");
    fill(&shared, false);
    wait_until("rows are written again", || audit.state().failing.is_none());
    assert!(audit.close(PATIENCE));
    let rows = rows(&shared, &audit);
    let told: u64 = rows.iter().filter_map(|row| row.row.lost_rows).sum();
    assert_eq!(told, audit.state().lost);
    let kept = rows.iter().filter(|row| row.row.event == Event::Request);
    assert_eq!(kept.count() as u64 + told, 2000);
}

#[test]
fn contents_are_recorded_only_where_they_are_asked_for() {
    let with_contents = || {
        let mut row = row("one");
        row.contents = Some("the prompt".into());
        row
    };
    for (bytes, expected) in [(0, None), (4096, Some("the prompt"))] {
        let shared = Shared::default();
        let mut settings = quick();
        settings.contents = ByteSize::from_bytes(bytes);
        let audit = start(&shared, settings);
        audit.reserve().unwrap().send(with_contents());
        assert!(audit.close(PATIENCE));
        let rows = rows(&shared, &audit);
        let found = rows[1].row.contents.as_ref().map(|text| text.as_str());
        assert_eq!(found, expected);
    }
}

#[test]
fn an_end_waits_for_permits_and_no_longer_than_it_may() {
    let shared = Shared::default();
    let audit = start(&shared, quick());
    let permit = audit.reserve().unwrap();
    thread::scope(|scope| {
        let closed = scope.spawn(|| audit.close(PATIENCE));
        thread::sleep(Duration::from_millis(50));
        permit.send(row("last"));
        assert!(closed.join().unwrap());
    });
    assert_eq!(rows(&shared, &audit).len(), 3);
    assert_eq!(audit.reserve().unwrap_err(), Unavailable);

    let shared = Shared::default();
    let audit = start(&shared, quick());
    let permit = audit.reserve().unwrap();
    let began = Instant::now();
    assert!(!audit.close(Duration::from_millis(50)));
    assert!(began.elapsed() < Duration::from_secs(10));
    permit.send(row("too late"));
    assert_eq!(audit.state().lost, 1);
    let memory = shared.0.lock().unwrap().clone();
    assert!(verify(&memory, &marks(&memory, &[])).unwrap().is_closed);
}

#[test]
fn an_end_that_cannot_write_gives_up_once_its_time_is_over() {
    let shared = Shared::default();
    let audit = start(&shared, quick());
    let permit = audit.reserve().unwrap();
    let queued = audit.reserve().unwrap();
    let late = audit.reserve().unwrap();
    fill(&shared, true);
    permit.send(row("one"));
    wait_until("the failure shows", || audit.state().failing.is_some());
    queued.send(row("two"));
    assert!(!audit.close(Duration::from_millis(50)));
    // The thread has ended, and tries no more.
    let steps = || shared.0.lock().unwrap().steps;
    let before = steps();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(steps(), before);
    late.send(row("three"));
    let state = audit.state();
    assert_eq!((state.lost, state.waiting, state.rows), (3, 0, 1));
    assert_eq!(state.failing, Some("io.audit"));
}

#[test]
fn a_start_on_a_full_disk_fails() {
    let shared = Shared::default();
    let writer = Writer::open(shared.clone(), settings(), at(0)).unwrap();
    fill(&shared, true);
    let error = Audit::start(writer, quick()).unwrap_err();
    assert_eq!(error.code(), "io.audit");
}
