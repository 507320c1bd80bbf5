//! Finds the end of the last segment, as a crash at any byte may have left it.

use std::io::Read;

use crate::cursor::{Cursor, Expected};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::frame::{Found, Frame, Frames, SEGMENT_START};
use crate::head::Head;
use crate::storage::Storage;

/// Content of a segment.
pub(crate) enum Scan {
    /// Its first frame was never finished.
    Unbegun,
    Begun(Box<SegmentEnd>),
}

pub(crate) struct SegmentEnd {
    pub(crate) cursor: Cursor,
    /// Length up to the end of the last whole frame.
    pub(crate) length: u64,
    /// Bytes after that.
    pub(crate) torn_bytes: u64,
    /// Place before the last whole frame, and the length up to there.
    pub(crate) before: Option<(Cursor, u64)>,
}

/// Reads a segment to its end. Signatures are checked behind the head only: before it the hash says as much.
pub(crate) fn scan<S: Storage>(
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
    let mut before = None;
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
                    Ok(()) => {
                        before = Some((cursor, end));
                        cursor = next;
                    }
                    Err(_) if is_new && is_cut_by_zeros(&frame, &mut frames)? => {
                        return Ok(Scan::Begun(Box::new(SegmentEnd {
                            cursor,
                            length: end,
                            torn_bytes: length.saturating_sub(end),
                            before,
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
                    before,
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

pub(crate) fn rolled_back(head: &Head, found: &'static str) -> Error {
    Error::Fault(Fault::new(
        FaultKind::RolledBack,
        head.segment,
        head.seq,
        found,
    ))
}
