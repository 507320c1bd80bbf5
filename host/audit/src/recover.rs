//! Finds the end of a log, and finishes what a crash left half done. The same happens after a failed write, so that
//! there is one way back. After a failed write all bytes that it may have left are cut off first ([`Attempt`]).
//!
//! The order of a rotation decides what can be found: the next key is on disk before the last frame names it, and has
//! taken the place of the old one before the next segment begins. The head is on disk before the next segment begins,
//! too: it is never more than one segment behind.

use ampoule_signing::Timestamp;

use crate::begin::{Live, begin_segment, put_head};
use crate::chain::{FrameHash, LogId};
use crate::cursor::{After, Cursor, Expected};
use crate::error::{Error, Result};
use crate::fault::FaultKind;
use crate::head::Head;
use crate::scan::{Scan, SegmentEnd, rolled_back, scan};
use crate::segment_key::SegmentKey;
use crate::storage::{StateFile, Storage};

/// A log that can be written on.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) live: Live,
    /// Bytes of a frame that was not finished, and that are gone now.
    pub(crate) torn_bytes: u64,
}

/// A write that failed in a process that goes on.
///
/// Its bytes are not believed, even where all of them can be read back: they may be in the system's memory and nowhere
/// else. Linux tells of a page that could not be brought to disk once, takes it for written then, and a second sync
/// succeeds. The bytes are cut off, and written again by the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// Last frame that callers were told of.
    pub(crate) told: Head,
    /// Frame that may have been written behind it.
    pub(crate) tried: Option<FrameHash>,
}

/// Finds the end of a log, or begins one in empty directories. After a failed write the end is the last frame that
/// callers or the head know of.
///
/// # Errors
///
/// [`Error::Fault`] and [`Error::State`], and then nothing was changed; the system's.
pub(crate) fn recover<S: Storage>(
    storage: &mut S,
    attempt: Option<&Attempt>,
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
            let Scan::Begun(mut end) = scan else {
                return Err(rolled_back(&head, "the segment has no frame any more"));
            };
            if let Some(attempt) = attempt {
                cut_back(&mut end, &head, attempt)?;
            }
            resume(storage, *end, Some(&head), recipients, now)
        }
        (Some(last), Some(head)) if last == head.segment.saturating_add(1) => {
            resume_next(storage, &head, attempt.is_some(), recipients, now)
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
        Scan::Begun(end) if end.cursor.frames == 1 => {
            if the_key(storage)?.public() != end.cursor.key {
                return Err(Error::State(
                    "the signing key is not the one that the log names",
                ));
            }
            // The frame may be in the system's memory and nowhere else, after a sync that failed. Nobody knows of it.
            storage
                .truncate(1, 0)
                .map_err(Error::io("begin the first segment again"))?;
            begin_log(storage, recipients, now)
        }
        Scan::Begun(_) => Err(Error::State("the state has no head")),
    }
}

/// Resumes where the head names the last frame of the segment before.
fn resume_next<S: Storage>(
    storage: &mut S,
    head: &Head,
    is_again: bool,
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
        Scan::Begun(end) if end.cursor.frames > 1 && is_again => Err(overtaken(&end.cursor)),
        Scan::Begun(end) if end.cursor.frames > 1 => {
            resume(storage, *end, Some(head), recipients, now)
        }
        // A first frame alone may be in the system's memory and nowhere else, after a sync that failed. It has no rows.
        Scan::Begun(_) | Scan::Unbegun => {
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

/// Moves the end back to the last frame that callers or the head know of. One frame may follow: the one that was tried.
fn cut_back(end: &mut SegmentEnd, head: &Head, attempt: &Attempt) -> Result<()> {
    let told = &attempt.told;
    let known = if told.log == head.log && told.segment == head.segment && told.seq > head.seq {
        told
    } else {
        head
    };
    let last = end.cursor;
    if last.last.seq == known.seq {
        return Ok(());
    }
    let before = end.before.take().filter(|(before, length)| {
        before.last.seq == known.seq && before.after.hash == known.hash && *length == known.length
    });
    match before {
        Some((cursor, length)) if attempt.tried == Some(last.after.hash) => {
            end.torn_bytes = end
                .torn_bytes
                .saturating_add(end.length.saturating_sub(length));
            end.length = length;
            end.cursor = cursor;
            Ok(())
        }
        _ => Err(overtaken(&last)),
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

/// Makes the fault of frames that a process finds behind its own.
fn overtaken(last: &Cursor) -> Error {
    Error::Fault(last.fault(
        FaultKind::Order,
        "frames are in the log that this process did not write",
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
