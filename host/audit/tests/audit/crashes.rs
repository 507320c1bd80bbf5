//! A crash at any byte, and a failure of any step, lose nothing that was said to be written.

use ampoule_audit::{Error, Sealed, StateFile, Writer, WriterSettings};
use ampoule_units::ByteSize;

use crate::logs::{at, expected_ids, ids, marks, open, report, sealed, settings};
use crate::memory::{Failure, Memory};
use crate::random::Random;

/// Batches of two rows from row `first` on.
pub(crate) fn batches(first: u64, count: u64) -> Vec<Sealed> {
    let numbers = (0..count).map(|index| first + 2 * index);
    numbers.map(|number| sealed(number, 2)).collect()
}

/// Opens a log, writes batches and ends, up to the first failure. Returns the rows that were said to be written, and the
/// storage as it was left.
fn run(memory: Memory, batches: &[Sealed]) -> (u64, Memory) {
    run_with(memory, batches, settings())
}

fn run_with(memory: Memory, batches: &[Sealed], settings: WriterSettings) -> (u64, Memory) {
    let shared = crate::memory::Shared::default();
    *shared.0.lock().unwrap() = memory;
    let mut written = 0;
    if let Ok(mut writer) = Writer::open(shared.clone(), settings, at(0)) {
        written = writer.next_row();
        for batch in batches {
            if writer.append(batch, at(written)).is_err() {
                break;
            }
            written = writer.next_row();
        }
        let _ = writer.close(at(written));
    }
    let memory = shared.0.lock().unwrap().clone();
    (written, memory)
}

/// Opens a log after a crash, writes one more batch, and verifies all against the head from before and the last frame.
#[track_caller]
fn goes_on(left: Memory, written: u64, at_most: u64) {
    let before = left.state.get(&StateFile::Head).cloned();
    let mut anchors: Vec<_> = before
        .map(|head| ampoule_audit::anchor_of_head(&head).unwrap())
        .into_iter()
        .collect();
    let mut writer = open(left);
    let found = writer.next_row();
    assert!(
        (written..=at_most).contains(&found),
        "{written} rows were written, {found} are there"
    );
    writer.append(&sealed(found, 2), at(60)).unwrap();
    anchors.push(writer.anchor());
    let memory = writer.into_storage();
    let report = report(&memory, &anchors);
    assert_eq!((report.rows, report.unfinished_bytes), (found + 2, 0));
    assert_eq!(report.anchors, anchors.len());
}

#[test]
fn a_crash_at_any_byte_of_frames_and_of_a_rotation_loses_no_written_row() {
    let base = {
        let mut writer = open(Memory::default());
        crate::logs::write(&mut writer, 1);
        writer.into_storage().restarted()
    };
    let batches = batches(2, 2);
    let (rows, whole) = run(base.clone(), &batches);
    assert_eq!(rows, 6);
    // The segment is followed by another on the way.
    assert!(whole.segments.len() >= 2, "{:?}", whole.segments.keys());
    for power in 0..whole.spent {
        let mut memory = base.clone();
        memory.power = Some(power);
        let (written, left) = run(memory, &batches);
        goes_on(left.restarted(), written, written + 2);
    }
    println!("{} crashes", whole.spent);
}

#[test]
fn a_crash_at_any_byte_of_a_first_start_leaves_a_log_that_begins() {
    let (_, whole) = run(Memory::default(), &[]);
    for power in 0..whole.spent {
        let memory = Memory {
            power: Some(power),
            ..Memory::default()
        };
        let (_, left) = run(memory, &[]);
        goes_on(left.restarted(), 0, 0);
    }
}

#[test]
fn a_crash_while_a_crash_is_mended_loses_no_written_row() {
    let mut random = Random(23);
    let batches = batches(0, 4);
    let (_, whole) = run(Memory::default(), &batches);
    for _ in 0..300 {
        let mut memory = Memory {
            power: Some(random.below(whole.spent)),
            ..Memory::default()
        };
        let mut written = 0;
        for _ in 0..3 {
            let next = usize::try_from(written / 2).unwrap();
            let (found, left) = run(memory, &batches[next..]);
            written = written.max(found);
            memory = left.restarted();
            // A next start sees what a whole frame has added.
            written = open(memory.restarted()).next_row().max(written);
            memory.power = Some(random.below(600));
        }
        goes_on(memory.restarted(), written, written + 2);
    }
}

#[test]
fn a_power_cut_that_leaves_zeros_for_the_rest_of_a_frame_is_mended() {
    let base = {
        let mut writer = open(Memory::default());
        crate::logs::write(&mut writer, 1);
        writer.into_storage().restarted()
    };
    let length = base.segments[&1].len();
    // The size of a sealed batch is not always the same: without room, some runs would begin another segment.
    let mut roomy = settings();
    roomy.segment_bytes = ByteSize::from_mib(1);
    let (_, whole) = run_with(base.clone(), &batches(2, 1), roomy);
    assert_eq!(whole.segments.len(), 1);
    let end = whole.segments[&1].len();
    for kept in length..end {
        // Up to the frame's end, or beyond it.
        let end = if kept % 2 == 0 { end } else { end + 4096 };
        let mut memory = base.clone();
        let segment = memory.segments.get_mut(&1).unwrap();
        segment.extend_from_slice(&whole.segments[&1][length..kept]);
        segment.resize(end, 0);
        // A frame whose last byte is zero anyway is whole.
        goes_on(memory, 2, 4);
    }
}

#[test]
fn zeros_behind_whatever_a_power_cut_left_are_cut_off() {
    let base = {
        let mut writer = open(Memory::default());
        crate::logs::write(&mut writer, 1);
        writer.into_storage().restarted()
    };
    // Enough for the segment's last frame, and for the first of the next.
    let batches = batches(2, 2);
    let (_, whole) = run(base.clone(), &batches);
    assert!(whole.segments.len() >= 2, "{:?}", whole.segments.keys());
    for power in 0..whole.spent {
        let mut memory = base.clone();
        memory.power = Some(power);
        let (written, left) = run(memory, &batches);
        let mut left = left.restarted();
        let mut last = left.segments.last_entry().unwrap();
        let length = last.get().len();
        last.get_mut().resize(length + 4096, 0);
        goes_on(left, written, written + 2);
    }
}

#[test]
fn a_step_that_fails_is_done_again_and_no_row_is_there_twice() {
    let batches = batches(0, 4);
    let (_, whole) = run(Memory::default(), &batches);
    let mut failed = 0;
    for failure in [Failure::Before, Failure::Halfway, Failure::After] {
        for step in 0..whole.steps {
            let memory = Memory {
                fails: Some((step, failure)),
                ..Memory::default()
            };
            let shared = crate::memory::Shared::default();
            *shared.0.lock().unwrap() = memory;
            let open = || Writer::open(shared.clone(), settings(), at(0));
            let mut writer = open().or_else(|error| {
                assert!(error.may_pass(), "{error}");
                failed += 1;
                open()
            });
            let writer = writer.as_mut().unwrap();
            for batch in &batches {
                again(&mut failed, || writer.append(batch, at(1)));
            }
            again(&mut failed, || writer.close(at(2)));
            let memory = shared.0.lock().unwrap().clone();
            assert_eq!(report(&memory, &[writer.anchor()]).rows, 8);
            assert_eq!(ids(&memory, &marks(&memory, &[])), expected_ids(8));
        }
    }
    // Each of the steps has failed once, but for removals that are not reached.
    assert!(failed + 6 >= 3 * whole.steps, "{failed} of {}", whole.steps);
}

/// Does something, and once more if it fails.
#[track_caller]
pub(crate) fn again(failed: &mut usize, mut act: impl FnMut() -> Result<(), Error>) {
    if let Err(error) = act() {
        assert!(error.may_pass(), "{error}");
        *failed += 1;
        act().unwrap();
    }
}

#[test]
fn a_disk_that_stays_full_is_tried_again_until_there_is_room() {
    let shared = crate::memory::Shared::default();
    let mut writer = Writer::open(shared.clone(), settings(), at(0)).unwrap();
    let batch = sealed(0, 2);
    shared.0.lock().unwrap().is_full = true;
    for _ in 0..5 {
        let error = writer.append(&batch, at(1)).unwrap_err();
        assert_eq!((error.code(), error.may_pass()), ("io.audit", true));
    }
    shared.0.lock().unwrap().is_full = false;
    writer.append(&batch, at(2)).unwrap();
    writer.close(at(3)).unwrap();
    let memory = shared.0.lock().unwrap().clone();
    assert_eq!(report(&memory, &[writer.anchor()]).rows, 2);
    assert_eq!(ids(&memory, &marks(&memory, &[])), expected_ids(2));
}
