//! Logs that somebody changed, in every way that we know of. Each is found.

use std::collections::BTreeMap;

use ampoule_audit::{Anchor, Error, StateFile, verify};
use ed25519_dalek::SigningKey;

use crate::forger::{self, change, sign_again, unhex, with_payload};
use crate::logs::{marks, open, root, write};
use crate::memory::Memory;
use crate::random::Random;

/// A log, another one with the same shape, and what is known of the first from elsewhere.
struct Base {
    log: Memory,
    other: Memory,
    last: Anchor,
}

fn base() -> Base {
    let make = || {
        let mut writer = open(Memory::default());
        for round in 0..9 {
            write(&mut writer, 1);
            if round % 2 == 0 {
                writer.heartbeat(crate::logs::at(100 + round)).unwrap();
            }
        }
        (writer.anchor(), writer.into_storage().restarted())
    };
    let (last, log) = make();
    let (_, other) = make();
    Base { log, other, last }
}

type Tamper = fn(&mut Memory, &Base, &mut Random);

const KINDS: [(&str, Tamper); 18] = [
    ("a bit is flipped", flip),
    ("a byte is replaced", replace),
    ("bytes are zeros", zeros),
    ("bytes are taken out", take_out),
    ("bytes are put in", put_in),
    ("a segment is cut off", cut),
    ("frames are taken off the end", older),
    ("frames change places", swap_frames),
    ("a frame is there twice", duplicate),
    ("a frame is taken out", delete_frame),
    ("a segment is removed", delete_segment),
    ("the first segments are removed", delete_first_segments),
    ("segments change places", swap_segments),
    ("a frame is of another log", foreign_frame),
    ("a segment is of another log", foreign_segment),
    ("a frame is signed by another key", resigned),
    ("a next key is named by another", forged_handover),
    (
        "the last segment is written anew with the stolen key",
        stolen_key,
    ),
];

/// The number of tamperings; more of them by the variable.
fn count() -> usize {
    let more = std::env::var("AMPOULE_AUDIT_TAMPERINGS").ok();
    more.map_or(2016, |count| count.parse().unwrap())
}

#[test]
fn every_tampering_of_a_log_is_found() {
    let base = base();
    assert!(
        base.log.segments.len() >= 3,
        "{:?}",
        base.log.segments.keys()
    );
    let marks = marks(&base.log, &[base.last]);
    verify(&base.log, &marks).unwrap();
    let mut random = Random(2026);
    let mut found: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for index in 0..count() {
        let (kind, tamper) = KINDS[index % KINDS.len()];
        let mut log = base.log.clone();
        tamper(&mut log, &base, &mut random);
        if log == base.log {
            // A byte that was replaced by itself.
            flip(&mut log, &base, &mut random);
        }
        match verify(&log, &marks) {
            Ok(report) => panic!("number {index}, {kind}: {report:?}"),
            Err(error @ Error::Fault(_)) => *found.entry((kind, error.code())).or_default() += 1,
            Err(other) => panic!("number {index}, {kind}: {other:?}"),
        }
    }
    for ((kind, code), count) in &found {
        println!("{count:>6}  {kind}: {code}");
    }
    assert_eq!(found.values().sum::<usize>(), count());
}

/// An anchor is what finds a cut at the edge of a frame. All else is found without.
#[test]
fn a_log_without_an_anchor_hides_no_change_before_its_end() {
    let base = base();
    let marks = marks(&base.log, &[]);
    let mut random = Random(52);
    let inner: [(&str, Tamper); 9] = [
        ("a segment is removed", delete_inner_segment),
        ("the first segments are removed", delete_first_segments),
        ("segments change places", swap_segments),
        ("frames change places", swap_frames),
        ("a frame is there twice", duplicate),
        ("a frame is of another log", foreign_frame),
        ("a segment is of another log", foreign_segment),
        ("a frame is signed by another key", resigned),
        ("a next key is named by another", forged_handover),
    ];
    for index in 0..200 {
        let (kind, tamper) = inner[index % inner.len()];
        let mut log = base.log.clone();
        tamper(&mut log, &base, &mut random);
        assert!(
            matches!(verify(&log, &marks), Err(Error::Fault(_))),
            "number {index}, {kind}"
        );
    }
    let mut cut = base.log.clone();
    older(&mut cut, &base, &mut random);
    verify(&cut, &marks).unwrap();
}

#[test]
fn garbage_behind_the_last_frame_is_found_without_an_anchor() {
    let base = base();
    let mut log = base.log.clone();
    let last = last(&log);
    log.segments.get_mut(&last).unwrap().extend([9; 200]);
    assert!(matches!(
        verify(&log, &marks(&log, &[])),
        Err(Error::Fault(_))
    ));
}

#[test]
fn a_length_that_is_raised_past_the_end_is_found_without_an_anchor() {
    let base = base();
    let number = last(&base.log);
    let frames = forger::frames(&base.log.segments[&number]);
    // As a writer that was killed leaves it.
    let unfinished = {
        let mut next = frames.last().unwrap()[..60].to_vec();
        next[1..9].copy_from_slice(&(base.last.seq + 1).to_be_bytes());
        next
    };
    for end in [&[][..], &unfinished] {
        let mut killed = base.log.clone();
        killed.segments.get_mut(&number).unwrap().extend(end);
        let report = verify(&killed, &marks(&killed, &[])).unwrap();
        assert_eq!(report.unfinished_bytes, end.len() as u64);
        for at in 0..frames.len() {
            // The last frame's end is hidden behind the unfinished one's start, whose header names it.
            for length in [3_u32 << 10, 1 << 20, 16 << 20] {
                let mut log = killed.clone();
                let begin = 10 + frames[..at].iter().map(Vec::len).sum::<usize>();
                let segment = log.segments.get_mut(&number).unwrap();
                assert!(segment.len() < 3 << 10);
                segment[begin + 29..begin + 33].copy_from_slice(&length.to_be_bytes());
                assert_eq!(
                    crate::logs::fault(verify(&log, &marks(&log, &[]))),
                    ampoule_audit::FaultKind::Altered,
                    "frame {at} of {}, {length}",
                    frames.len()
                );
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_the_last_segment_is_found_without_an_anchor() {
    let base = base();
    let mut random = Random(11);
    let number = last(&base.log);
    for at in 0..base.log.segments[&number].len() {
        let mut log = base.log.clone();
        let bit = random.below(8);
        log.segments.get_mut(&number).unwrap()[at] ^= 1 << bit;
        assert!(
            matches!(verify(&log, &marks(&log, &[])), Err(Error::Fault(_))),
            "byte {at}, bit {bit}"
        );
    }
}

#[test]
fn a_frame_that_was_cut_at_any_byte_is_unfinished_and_no_fault() {
    let base = base();
    let number = last(&base.log);
    let end = forger::frames(&base.log.segments[&number]).pop().unwrap();
    for cut in 1..end.len() {
        let mut log = base.log.clone();
        let segment = log.segments.get_mut(&number).unwrap();
        segment.truncate(segment.len() - cut);
        let report = verify(&log, &marks(&log, &[])).unwrap();
        assert_eq!(report.unfinished_bytes, (end.len() - cut) as u64);
    }
}

#[test]
fn a_log_is_held_to_its_own_first_key() {
    let base = base();
    let mut other = marks(&base.log, &[]);
    other.root = Some(root(&base.other));
    assert_eq!(
        crate::logs::fault(verify(&base.log, &other)),
        ampoule_audit::FaultKind::Key
    );
    other.root = None;
    assert!(verify(&base.log, &other).is_err());
}

fn last(log: &Memory) -> u64 {
    *log.segments.keys().last().unwrap()
}

fn some_segment(log: &Memory, random: &mut Random) -> u64 {
    let numbers: Vec<_> = log.segments.keys().copied().collect();
    numbers[random.below(numbers.len())]
}

/// Bytes of some segment, and a place in them.
fn place<'l>(log: &'l mut Memory, random: &mut Random) -> (&'l mut Vec<u8>, usize) {
    let number = some_segment(log, random);
    let bytes = log.segments.get_mut(&number).unwrap();
    let at = random.below(bytes.len());
    (bytes, at)
}

fn flip(log: &mut Memory, _: &Base, random: &mut Random) {
    let bit = random.below(8);
    let (bytes, at) = place(log, random);
    bytes[at] ^= 1 << bit;
}

fn replace(log: &mut Memory, _: &Base, random: &mut Random) {
    let new = random.bytes(1)[0];
    let (bytes, at) = place(log, random);
    bytes[at] = new;
}

fn zeros(log: &mut Memory, _: &Base, random: &mut Random) {
    let count = 1 + random.below(200);
    let (bytes, at) = place(log, random);
    let end = bytes.len().min(at + count);
    bytes[at..end].fill(0);
}

fn take_out(log: &mut Memory, _: &Base, random: &mut Random) {
    let count = 1 + random.below(200);
    let (bytes, at) = place(log, random);
    let end = bytes.len().min(at + count);
    bytes.drain(at..end);
}

fn put_in(log: &mut Memory, _: &Base, random: &mut Random) {
    let count = 1 + random.below(200);
    let new = random.bytes(count);
    let (bytes, at) = place(log, random);
    bytes.splice(at..at, new);
}

fn cut(log: &mut Memory, _: &Base, random: &mut Random) {
    let (bytes, at) = place(log, random);
    bytes.truncate(at);
}

fn older(log: &mut Memory, _: &Base, random: &mut Random) {
    let number = last(log);
    change(log, number, |frames| {
        let kept = 1 + random.below(frames.len() - 1);
        frames.truncate(kept);
    });
}

/// Two different frames of some segment.
fn two(frames: &[Vec<u8>], random: &mut Random) -> (usize, usize) {
    let first = random.below(frames.len());
    let second = (first + 1 + random.below(frames.len() - 1)) % frames.len();
    (first, second)
}

fn swap_frames(log: &mut Memory, _: &Base, random: &mut Random) {
    let number = some_segment(log, random);
    change(log, number, |frames| {
        let (first, second) = two(frames, random);
        frames.swap(first, second);
    });
}

fn duplicate(log: &mut Memory, _: &Base, random: &mut Random) {
    let number = some_segment(log, random);
    change(log, number, |frames| {
        let (from, to) = two(frames, random);
        frames.insert(to, frames[from].clone());
    });
}

fn delete_frame(log: &mut Memory, _: &Base, random: &mut Random) {
    let number = some_segment(log, random);
    change(log, number, |frames| {
        let at = random.below(frames.len());
        frames.remove(at);
    });
}

fn delete_segment(log: &mut Memory, _: &Base, random: &mut Random) {
    let number = some_segment(log, random);
    log.segments.remove(&number);
}

fn delete_inner_segment(log: &mut Memory, _: &Base, random: &mut Random) {
    let inner = last(log) - 1;
    let number = 1 + random.below(usize::try_from(inner).unwrap()) as u64;
    log.segments.remove(&number);
}

/// Removes all segments before some later one, up to the last.
fn delete_first_segments(log: &mut Memory, _: &Base, random: &mut Random) {
    let before = usize::try_from(last(log) - 1).unwrap();
    let first = 2 + random.below(before) as u64;
    log.segments = log.segments.split_off(&first);
}

fn swap_segments(log: &mut Memory, _: &Base, random: &mut Random) {
    let first = 1 + random.below(log.segments.len() - 1) as u64;
    let (one, two) = (
        log.segments[&first].clone(),
        log.segments[&(first + 1)].clone(),
    );
    log.segments.insert(first, two);
    log.segments.insert(first + 1, one);
}

/// A segment that both logs have.
fn common_segment(log: &Memory, base: &Base, random: &mut Random) -> u64 {
    let common = last(log).min(last(&base.other));
    1 + random.below(usize::try_from(common).unwrap()) as u64
}

fn foreign_frame(log: &mut Memory, base: &Base, random: &mut Random) {
    let number = common_segment(log, base, random);
    let others = forger::frames(&base.other.segments[&number]);
    change(log, number, |frames| {
        let at = random.below(frames.len().min(others.len()));
        frames[at].clone_from(&others[at]);
    });
}

fn foreign_segment(log: &mut Memory, base: &Base, random: &mut Random) {
    let number = common_segment(log, base, random);
    log.segments
        .insert(number, base.other.segments[&number].clone());
}

fn own_key(random: &mut Random) -> SigningKey {
    SigningKey::from_bytes(&random.bytes(32).try_into().unwrap())
}

/// Changes a frame's content, makes all hashes of the segment right, and signs with a key of one's own.
fn resigned(log: &mut Memory, _: &Base, random: &mut Random) {
    let number = some_segment(log, random);
    let key = own_key(random);
    change(log, number, |frames| {
        let from = 1 + random.below(frames.len() - 1);
        frames[from][20] ^= 1;
        sign_again(frames, from, &key);
    });
}

/// Ends a segment by a frame that names a key of one's own, and writes the next segment with that.
fn forged_handover(log: &mut Memory, _: &Base, random: &mut Random) {
    let number = 1 + random.below(log.segments.len() - 1) as u64;
    let key = own_key(random);
    let public: String = key
        .verifying_key()
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut handover = Vec::new();
    change(log, number, |frames| {
        let end = frames.len() - 1;
        frames[end] = with_payload(&frames[end], |_| {
            format!("{{\"next\":\"{public}\"}}").into_bytes()
        });
        sign_again(frames, end, &key);
        handover = frames[end][frames[end].len() - 96..frames[end].len() - 64].to_vec();
    });
    let previous: String = handover.iter().map(|byte| format!("{byte:02x}")).collect();
    change(log, number + 1, |frames| {
        let old = (
            forger::field(&frames[0], "key"),
            forger::field(&frames[0], "previous"),
        );
        frames[0] = with_payload(&frames[0], |payload| {
            let text = String::from_utf8(payload).unwrap();
            text.replace(&old.0, &public)
                .replace(&old.1, &previous)
                .into_bytes()
        });
        sign_again(frames, 0, &key);
    });
}

/// Changes a frame of the last segment as a thief of the service can, who has its key. Only an anchor finds it.
fn stolen_key(log: &mut Memory, base: &Base, random: &mut Random) {
    let secret = String::from_utf8(base.log.state[&StateFile::Key].clone()).unwrap();
    let key = SigningKey::from_bytes(&unhex(&secret).try_into().unwrap());
    let number = last(log);
    change(log, number, |frames| {
        let from = 1 + random.below(frames.len() - 1);
        frames[from][28] ^= 1;
        sign_again(frames, from, &key);
    });
}

/// Returns the frames of the last segment, one by one, as anchors.
fn anchors_of_the_last_segment(base: &Base) -> Vec<Anchor> {
    let hashes = forger::frames(&base.log.segments[&last(&base.log)]);
    let first = base.last.seq + 1 - hashes.len() as u64;
    let anchors = hashes.iter().zip(first..).map(|(frame, seq)| {
        let trailer = &frame[frame.len() - 96..frame.len() - 64];
        let hash: String = trailer.iter().map(|byte| format!("{byte:02x}")).collect();
        let Anchor {
            log, segment, key, ..
        } = base.last;
        let text = format!("ampoule-audit-anchor-v1 {log} {segment} {seq} {hash} {key}");
        text.parse().unwrap()
    });
    anchors.collect()
}

#[test]
fn a_thief_of_the_newest_key_cannot_move_the_frames_past_the_anchors_where_older_segments_are_away()
{
    let base = base();
    let anchors = anchors_of_the_last_segment(&base);
    let number = last(&base.log);
    let secret = String::from_utf8(base.log.state[&StateFile::Key].clone()).unwrap();
    let key = SigningKey::from_bytes(&unhex(&secret).try_into().unwrap());
    let mut rest = base.log.clone();
    rest.segments = rest.segments.split_off(&number);
    for anchor in &anchors {
        let mut marks = marks(&rest, &[*anchor]);
        marks.first_segment = Some(number);
        assert_eq!(verify(&rest, &marks).unwrap().anchors, 1);
        for moved in [1, 1000, u64::MAX / 2] {
            let mut log = rest.clone();
            change(&mut log, number, |frames| {
                for frame in &mut *frames {
                    let seq = u64::from_be_bytes(frame[1..9].try_into().unwrap());
                    frame[1..9].copy_from_slice(&(seq + moved).to_be_bytes());
                }
                sign_again(frames, 0, &key);
            });
            assert_eq!(
                crate::logs::fault(verify(&log, &marks)),
                ampoule_audit::FaultKind::RolledBack,
                "{anchor}, {moved}"
            );
        }
    }
}

#[test]
fn a_log_whose_beginning_was_removed_passes_with_no_anchor_unless_its_first_file_is_named() {
    let base = base();
    let anchors = anchors_of_the_last_segment(&base);
    let number = last(&base.log);
    let mut rest = base.log.clone();
    rest.segments = rest.segments.split_off(&number);
    for known in [&[base.last][..], &anchors, &[]] {
        let mut marks = marks(&rest, known);
        for root in [marks.root, None] {
            marks.root = root;
            for named in [None, Some(1), Some(number - 1)] {
                marks.first_segment = named;
                assert_eq!(
                    crate::logs::fault(verify(&rest, &marks)),
                    ampoule_audit::FaultKind::Missing
                );
            }
        }
        // The public key of segment 1 says nothing of a later one.
        let mut named = crate::logs::marks(&rest, known);
        named.first_segment = Some(number);
        assert_eq!(verify(&rest, &named).is_ok(), !known.is_empty());
    }
}

#[test]
fn a_thief_of_the_newest_key_writes_the_last_segment_anew_and_no_older_one() {
    let base = base();
    let mut random = Random(7);
    let mut log = base.log.clone();
    stolen_key(&mut log, &base, &mut random);
    // Without an anchor nothing tells: this is what anchors are for, and shows that the forger's signatures are right.
    verify(&log, &marks(&log, &[])).unwrap();
    assert!(verify(&log, &marks(&log, &[base.last])).is_err());

    let secret = String::from_utf8(base.log.state[&StateFile::Key].clone()).unwrap();
    let key = SigningKey::from_bytes(&unhex(&secret).try_into().unwrap());
    for number in 1..last(&base.log) {
        let mut log = base.log.clone();
        change(&mut log, number, |frames| {
            frames[1][28] ^= 1;
            sign_again(frames, 1, &key);
        });
        assert_eq!(
            crate::logs::fault(verify(&log, &marks(&log, &[]))),
            ampoule_audit::FaultKind::Signature
        );
    }
}
