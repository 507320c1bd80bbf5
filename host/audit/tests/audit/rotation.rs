//! Segments and their keys; states that do not belong to a log.

use std::time::Duration;

use ampoule_audit::{Error, FaultKind, Marks, StateFile, Writer, verify};
use ampoule_units::ByteSize;

use crate::logs::{at, expected_ids, fault, ids, marks, open, report, sealed, settings, write};
use crate::memory::Memory;

fn of_batches(batches: u64) -> Writer<Memory> {
    let mut writer = open(Memory::default());
    write(&mut writer, batches);
    writer
}

#[test]
fn segments_end_by_their_size_and_each_has_a_key_of_its_own() {
    let mut writer = of_batches(8);
    writer.close(at(90)).unwrap();
    let last = writer.anchor();
    let memory = writer.into_storage();
    assert!(memory.segments.len() >= 3);
    for segment in memory.segments.values() {
        assert!(segment.len() < 2200, "{}", segment.len());
    }
    let report = report(&memory, &[last]);
    assert_eq!(report.last, last);
    assert_eq!((report.rows, report.is_closed), (16, true));
    assert_eq!(report.segments, memory.segments.len() as u64);
    assert_eq!(ids(&memory, &marks(&memory, &[last])), expected_ids(16));
    // The first key is in the log's directory, and the last one in the state.
    assert_ne!(last.key, crate::logs::root(&memory));
}

#[test]
fn segments_end_by_their_age() {
    let mut settings = settings();
    settings.segment_bytes = ByteSize::from_mib(64);
    settings.segment_age = Duration::from_secs(100);
    let mut writer = Writer::open(Memory::default(), settings, at(0)).unwrap();
    for seconds in [0, 50, 99, 100, 150, 199, 200] {
        let batch = sealed(writer.next_row(), 1);
        writer.append(&batch, at(seconds)).unwrap();
    }
    let memory = writer.into_storage();
    assert_eq!(memory.segments.len(), 3);
    assert_eq!(report(&memory, &[]).rows, 7);
}

#[test]
fn the_key_of_an_older_segment_is_nowhere() {
    let first = open(Memory::default()).into_storage();
    let stolen = first.state[&StateFile::Key].clone();
    let mut writer = open(first);
    write(&mut writer, 6);
    let memory = writer.into_storage();
    assert!(memory.segments.len() > 1);
    for bytes in memory.segments.values().chain(memory.state.values()) {
        let part = &stolen[..16];
        assert!(!bytes.windows(16).any(|found| found == part));
    }
    assert_eq!(memory.state.len(), 2, "{:?}", memory.state.keys());
}

#[test]
fn a_writer_refuses_a_log_that_lacks_frames_of_which_its_state_knows() {
    let writer = of_batches(5);
    let memory = writer.into_storage().restarted();
    let last = *memory.segments.keys().last().unwrap();
    let reopened = |memory: &Memory| {
        let before = memory.clone();
        let shared = crate::memory::Shared::default();
        *shared.0.lock().unwrap() = memory.clone();
        let opened = Writer::open(shared.clone(), settings(), at(0)).map(|_| ());
        let after = shared.0.lock().unwrap().restarted();
        assert_eq!(after, before.restarted(), "a refused log is left as it is");
        opened
    };

    let mut cut = memory.clone();
    cut.segments.get_mut(&last).unwrap().pop();
    assert_eq!(fault(reopened(&cut)), FaultKind::RolledBack);

    let mut shorter = memory.clone();
    shorter.segments.remove(&last);
    assert_eq!(fault(reopened(&shorter)), FaultKind::RolledBack);

    let mut empty = memory.clone();
    empty.segments.clear();
    assert_eq!(fault(reopened(&empty)), FaultKind::RolledBack);

    let mut flipped = memory.clone();
    flipped.segments.get_mut(&last).unwrap()[60] ^= 1;
    assert_eq!(fault(reopened(&flipped)), FaultKind::Altered);

    let mut headless = memory.clone();
    headless.state.remove(&StateFile::Head);
    assert!(matches!(reopened(&headless), Err(Error::State(_))));

    let mut keyless = memory.clone();
    keyless.state.remove(&StateFile::Key);
    assert!(matches!(reopened(&keyless), Err(Error::State(_))));

    let mut garbage = memory.clone();
    let segment = garbage.segments.get_mut(&last).unwrap();
    segment.extend_from_slice(b"no frame begins like this");
    assert_eq!(fault(reopened(&garbage)), FaultKind::Altered);
}

#[test]
fn a_log_and_a_state_that_were_put_back_before_a_rotation_do_not_fit_to_the_key() {
    let older = of_batches(1).into_storage().restarted();
    let mut writer = open(older.clone());
    write(&mut writer, 6);
    let newer = writer.into_storage();
    assert!(newer.segments.len() > older.segments.len());
    // Everything is put back but the key, which somebody who only has a backup of the rest cannot.
    let mut mixed = older;
    mixed
        .state
        .insert(StateFile::Key, newer.state[&StateFile::Key].clone());
    let opened = Writer::open(mixed, settings(), at(0)).map(|_| ());
    assert!(matches!(opened, Err(Error::State(_))));
}

#[test]
fn a_log_whose_first_segments_were_moved_away_is_held_to_an_anchor() {
    let mut writer = open(Memory::default());
    let mut anchors = Vec::new();
    for _ in 0..8 {
        write(&mut writer, 1);
        anchors.push(writer.anchor());
    }
    let whole = writer.into_storage();
    let mut rest = whole.clone();
    rest.segments.remove(&1);
    assert_eq!(fault(verify(&rest, &marks(&rest, &[]))), FaultKind::Missing);
    let second = *anchors.iter().find(|anchor| anchor.segment == 2).unwrap();
    let last = *anchors.last().unwrap();
    let marks = Marks {
        root: None,
        anchors: vec![second, last],
        first_segment: Some(2),
    };
    let report = verify(&rest, &marks).unwrap();
    assert_eq!((report.first_segment, report.anchors), (2, 2));
    // Anchors of the segments that are away are not looked for, all others are, also where one is there twice.
    let of_the_rest = anchors.iter().filter(|anchor| anchor.segment >= 2).count();
    let marks = Marks {
        anchors: [&anchors[..], &anchors].concat(),
        ..marks
    };
    assert_eq!(verify(&rest, &marks).unwrap().anchors, of_the_rest);
    // Segments before the one that is named are not read.
    assert_eq!(
        verify(&whole, &marks).unwrap(),
        verify(&rest, &marks).unwrap()
    );
    // All anchors of the whole log hold for the whole log.
    assert_eq!(crate::logs::report(&whole, &anchors).anchors, anchors.len());
}

#[test]
fn an_anchor_has_one_spelling() {
    let anchor = of_batches(1).anchor();
    let text = anchor.to_string();
    assert_eq!(text.parse(), Ok(anchor));
    assert_eq!(format!("{text}\n").parse(), Ok(anchor));
    for other in [
        text.replace(" 1 ", " +1 "),
        text.replace(" 1 ", " 01 "),
        text.replace("v1", "v2"),
        format!("{text} more"),
        text.to_uppercase(),
    ] {
        assert!(other.parse::<ampoule_audit::Anchor>().is_err(), "{other}");
    }
}
