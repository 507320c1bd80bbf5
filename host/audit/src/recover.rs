//! Finds the end of a log, and finishes what a crash left half done. The same happens after a failed write, so that
//! there is one way back.
//!
//! The order of a rotation decides what can be found: the next key is on disk before the last frame names it, and has
//! taken the place of the old one before the next segment begins. The head is on disk before the next segment begins,
//! too: it is never more than one segment behind.

use std::io::Read;

use ampoule_signing::Timestamp;

use crate::begin::{Live, begin_segment, put_head};
use crate::chain::LogId;
use crate::cursor::{After, Cursor, Expected};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::frame::{Found, Frame, Frames, SEGMENT_START};
use crate::head::Head;
use crate::segment_key::SegmentKey;
use crate::storage::{StateFile, Storage};

/// A log that can be written on.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) live: Live,
    /// Bytes of a frame that was not finished, and that are gone now.
    pub(crate) torn_bytes: u64,
}

/// Finds the end of a log, or begins one in empty directories.
///
/// # Errors
///
/// [`Error::Fault`] and [`Error::State`], and then nothing was changed; the system's.
pub(crate) fn recover<S: Storage>(
    storage: &mut S,
    recipients: &[String],
    now: Timestamp,
) -> Result<Recovered> {
    let segments = storage.segments().map_err(Error::io("list the segments"))?;
    let last = segments.last().copied();
    let head = read_head(storage)?;
    match (last, head) {
        (None, None) => begin_log(storage, recipients, now),
        (None, Some(head)) => Err(rolled_back(&head, "there is no segment at all")),
        (Some(1), None) => resume_first(storage, recipients, now),
        (Some(_), None) => Err(Error::State("the state has no head")),
        (Some(last), Some(head)) if last == head.segment => {
            let scan = scan(storage, last, &Expected::default(), Some(&head))?;
            let Scan::Begun(end) = scan else {
                return Err(rolled_back(&head, "the segment has no frame any more"));
            };
            resume(storage, *end, Some(&head), recipients, now)
        }
        (Some(last), Some(head)) if last == head.segment.saturating_add(1) => {
            resume_next(storage, &head, recipients, now)
        }
        (Some(last), Some(head)) if last < head.segment => {
            Err(rolled_back(&head, "the segment is missing"))
        }
        _ => Err(Error::State("the head is older than the log")),
    }
}

/// Begins a log with the key that is there, or a new one.
fn begin_log<S: Storage>(
    storage: &mut S,
    recipients: &[String],
    now: Timestamp,
) -> Result<Recovered> {
    let key = match read_key(storage, StateFile::Key)? {
        Some(key) => key,
        None => {
            let key = SegmentKey::generate()?;
            storage
                .put_state(StateFile::Key, key.to_file().as_bytes())
                .map_err(Error::io("write the first key"))?;
            key
        }
    };
    storage
        .publish(&key.public().to_pem()?)
        .map_err(Error::io("write audit.pub"))?;
    let mut log = LogId([0; 16]);
    getrandom::fill(&mut log.0).map_err(|_| Error::Random)?;
    let live = begin_segment(storage, (log, 1), After::START, key, recipients, now)?;
    Ok(Recovered {
        live,
        torn_bytes: 0,
    })
}

/// Resumes where the first segment was never finished: its first frame may lack, and the head does.
fn resume_first<S: Storage>(
    storage: &mut S,
    recipients: &[String],
    now: Timestamp,
) -> Result<Recovered> {
    let expected = Expected {
        after: Some(After::START),
        ..Expected::default()
    };
    match scan(storage, 1, &expected, None)? {
        Scan::Unbegun => {
            storage
                .truncate(1, 0)
                .map_err(Error::io("begin the first segment again"))?;
            begin_log(storage, recipients, now)
        }
        Scan::Begun(end) if end.cursor.frames == 1 => resume(storage, *end, None, recipients, now),
        Scan::Begun(_) => Err(Error::State("the state has no head")),
    }
}

/// Resumes where the head names the last frame of the segment before.
fn resume_next<S: Storage>(
    storage: &mut S,
    head: &Head,
    recipients: &[String],
    now: Timestamp,
) -> Result<Recovered> {
    let segment = head.segment.saturating_add(1);
    let key = the_key(storage)?;
    if key.public() == head.key {
        return Err(Error::State("the signing key is that of an older segment"));
    }
    let after = After {
        hash: head.hash,
        seq: head.seq.saturating_add(1),
        row: head.next_row,
    };
    let expected = Expected {
        log: Some(head.log),
        key: Some(key.public()),
        after: Some(after),
    };
    match scan(storage, segment, &expected, None)? {
        Scan::Begun(end) => resume(storage, *end, Some(head), recipients, now),
        Scan::Unbegun => {
            storage
                .truncate(segment, 0)
                .map_err(Error::io("begin a segment again"))?;
            let id = (head.log, segment);
            let live = begin_segment(storage, id, after, key, recipients, now)?;
            Ok(Recovered {
                live,
                torn_bytes: 0,
            })
        }
    }
}

/// Resumes at the end of the last segment.
fn resume<S: Storage>(
    storage: &mut S,
    end: SegmentEnd,
    head: Option<&Head>,
    recipients: &[String],
    now: Timestamp,
) -> Result<Recovered> {
    let cursor = end.cursor;
    let key = the_key(storage)?;
    let next = read_key(storage, StateFile::NextKey)?;
    // All is looked at before anything is changed.
    let named = cursor.next_key.unwrap_or(cursor.key);
    let next_is_named = next.as_ref().is_some_and(|next| next.public() == named);
    if key.public() != named && !(cursor.next_key.is_some() && next_is_named) {
        return Err(Error::State(
            "the signing key is not the one that the log names",
        ));
    }
    if end.torn_bytes > 0 {
        storage
            .truncate(cursor.segment, end.length)
            .map_err(Error::io("cut off an unfinished frame"))?;
    }
    // A frame may be whole and not yet on disk.
    storage
        .sync(cursor.segment)
        .map_err(Error::io("sync a segment"))?;
    let found = Head {
        log: cursor.log,
        segment: cursor.segment,
        seq: cursor.last.seq,
        next_row: cursor.after.row,
        length: end.length,
        hash: cursor.after.hash,
        key: cursor.key,
    };
    if head != Some(&found) {
        put_head(storage, &found)?;
    }
    let torn_bytes = end.torn_bytes;
    if cursor.next_key.is_some() {
        let live = finish_rotation(storage, &cursor, recipients, now)?;
        return Ok(Recovered { live, torn_bytes });
    }
    if next.is_some() {
        // It was made for a last frame that was never written.
        storage
            .remove_state(StateFile::NextKey)
            .map_err(Error::io("remove a key that was never used"))?;
    }
    let live = Live {
        head: found,
        key,
        opened: cursor.opened,
        frames: cursor.frames,
    };
    Ok(Recovered { live, torn_bytes })
}

/// Puts the named key into place, and begins the next segment.
fn finish_rotation<S: Storage>(
    storage: &mut S,
    cursor: &Cursor,
    recipients: &[String],
    now: Timestamp,
) -> Result<Live> {
    if the_key(storage)?.public() == cursor.key {
        storage
            .advance_key()
            .map_err(Error::io("put the next key into place"))?;
    }
    let key = the_key(storage)?;
    if cursor.next_key != Some(key.public()) {
        return Err(Error::State(
            "the signing key is not the one that the log names",
        ));
    }
    let id = (cursor.log, cursor.segment.saturating_add(1));
    begin_segment(storage, id, cursor.after, key, recipients, now)
}

/// Content of a segment.
enum Scan {
    /// Its first frame was never finished.
    Unbegun,
    Begun(Box<SegmentEnd>),
}

struct SegmentEnd {
    cursor: Cursor,
    /// Length up to the end of the last whole frame.
    length: u64,
    /// Bytes after that.
    torn_bytes: u64,
}

/// Reads a segment to its end. Signatures are checked behind the head only: before it the hash says as much.
fn scan<S: Storage>(
    storage: &S,
    segment: u64,
    expected: &Expected,
    head: Option<&Head>,
) -> Result<Scan> {
    let failed = Error::io("read a segment");
    let (input, length) = storage.open(segment).map_err(&failed)?;
    let Some(mut frames) = Frames::open(input, length).map_err(&failed)? else {
        return unbegun(storage, segment, length);
    };
    let first = match frames.next().map_err(&failed)? {
        Found::Frame(frame) => frame,
        Found::End => return Ok(Scan::Unbegun),
        Found::Torn(torn) if torn.is_opening() => return Ok(Scan::Unbegun),
        Found::Torn(_) | Found::Malformed => return Err(malformed(segment, 0)),
    };
    let mut cursor = match Cursor::open(segment, &first, expected) {
        Ok(cursor) => cursor,
        Err(_) if is_cut_by_zeros(&first, &mut frames)? => return Ok(Scan::Unbegun),
        Err(fault) => return Err(fault.into()),
    };
    let mut is_met = false;
    loop {
        let end = length.saturating_sub(frames.left());
        if let Some(head) = head {
            is_met |= passes(&cursor, end, head)?;
        }
        match frames.next().map_err(&failed)? {
            Found::Frame(frame) => {
                let is_new = head.is_none() || is_met;
                let mut next = cursor;
                let taken = next.take(&frame).and_then(|()| match is_new {
                    true => next.check_signature(&frame),
                    false => Ok(()),
                });
                match taken {
                    Ok(()) => cursor = next,
                    Err(_) if is_new && is_cut_by_zeros(&frame, &mut frames)? => {
                        return Ok(Scan::Begun(Box::new(SegmentEnd {
                            cursor,
                            length: end,
                            torn_bytes: length.saturating_sub(end),
                        })));
                    }
                    Err(fault) => return Err(fault.into()),
                }
            }
            found @ (Found::End | Found::Torn(_)) => {
                let torn_bytes = match found {
                    Found::Torn(torn)
                        // Nobody writes behind the last frame of a segment, but a power cut may leave zeros there.
                        if cursor.next_key.is_some() && !torn.is_zero
                            || !torn.is_plausible(cursor.after.seq, cursor.after.row) =>
                    {
                        return Err(malformed(segment, cursor.after.seq));
                    }
                    Found::Torn(torn) => torn.bytes,
                    _ => 0,
                };
                if let (Some(head), false) = (head, is_met) {
                    return Err(rolled_back(head, "the segment ends before the frame"));
                }
                return Ok(Scan::Begun(Box::new(SegmentEnd {
                    cursor,
                    length: length.saturating_sub(torn_bytes),
                    torn_bytes,
                })));
            }
            Found::Malformed => return Err(malformed(segment, cursor.after.seq)),
        }
    }
}

/// Tells whether the rest of a frame's signature, and all behind it, are zeros: a power cut leaves pages so that were not
/// written. Nobody knows of a frame behind the head, so nothing is lost that was said to be there.
fn is_cut_by_zeros(frame: &Frame, frames: &mut Frames<impl Read>) -> Result<bool> {
    let is_cut = frame.signature.last() == Some(&0);
    Ok(is_cut
        && frames
            .is_zero_to_the_end()
            .map_err(Error::io("read a segment"))?)
}

/// Tells whether the head's frame ends here.
fn passes(cursor: &Cursor, end: u64, head: &Head) -> Result<bool> {
    if cursor.last.seq != head.seq {
        return Ok(false);
    }
    let is_same = cursor.log == head.log
        && cursor.after.hash == head.hash
        && cursor.after.row == head.next_row
        && end == head.length;
    if !is_same {
        return Err(rolled_back(head, "another frame is in its place"));
    }
    Ok(true)
}

/// Tells a segment whose first line was not finished from one whose first line was changed.
fn unbegun<S: Storage>(storage: &S, segment: u64, length: u64) -> Result<Scan> {
    /// More than a first frame has.
    const MOST: u64 = 64 << 10;
    let failed = Error::io("read a segment");
    let (input, _) = storage.open(segment).map_err(&failed)?;
    let mut bytes = Vec::new();
    input.take(MOST).read_to_end(&mut bytes).map_err(&failed)?;
    // A power cut leaves zeros for what was not written.
    let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let written = bytes.get(..bytes.len() - zeros).unwrap_or_default();
    if length <= MOST && SEGMENT_START.starts_with(written) {
        return Ok(Scan::Unbegun);
    }
    Err(malformed(segment, 0))
}

fn malformed(segment: u64, seq: u64) -> Error {
    Error::Fault(Fault::new(
        FaultKind::Altered,
        segment,
        seq,
        "there are bytes that are no frame's",
    ))
}

fn rolled_back(head: &Head, found: &'static str) -> Error {
    Error::Fault(Fault::new(
        FaultKind::RolledBack,
        head.segment,
        head.seq,
        found,
    ))
}

fn read_head<S: Storage>(storage: &S) -> Result<Option<Head>> {
    let bytes = storage
        .state(StateFile::Head)
        .map_err(Error::io("read the head"))?;
    let damaged = Error::State("the file head is damaged");
    bytes
        .map(|bytes| Head::of_file(&bytes).ok_or(damaged))
        .transpose()
}

fn the_key<S: Storage>(storage: &S) -> Result<SegmentKey> {
    read_key(storage, StateFile::Key)?.ok_or(Error::State("the state has no signing key"))
}

fn read_key<S: Storage>(storage: &S, file: StateFile) -> Result<Option<SegmentKey>> {
    let bytes = storage
        .state(file)
        .map_err(Error::io("read a signing key"))?
        .map(zeroize::Zeroizing::new);
    bytes
        .map(|bytes| SegmentKey::from_file(&bytes).ok_or(Error::State("a signing key is damaged")))
        .transpose()
}
