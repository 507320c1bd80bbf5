//! The first frame of a segment, and the head.

use ampoule_signing::Timestamp;

use crate::chain::LogId;
use crate::cursor::After;
use crate::error::{Error, Result};
use crate::frame::{Frame, Header, Kind, Open, SEGMENT_START, micros};
use crate::head::Head;
use crate::segment_key::SegmentKey;
use crate::storage::{StateFile, Storage};

/// The end of a log that is being written.
#[derive(Debug)]
pub(crate) struct Live {
    /// Last frame that was written.
    pub(crate) head: Head,
    /// Key of the segment.
    pub(crate) key: SegmentKey,
    /// Time of the segment's first frame, in microseconds since 1970.
    pub(crate) opened: u64,
    /// Frames of the segment.
    pub(crate) frames: u64,
}

impl Live {
    /// Returns what a next frame follows.
    pub(crate) fn after(&self) -> After {
        After {
            hash: self.head.hash,
            seq: self.head.seq.saturating_add(1),
            row: self.head.next_row,
        }
    }
}

/// Writes the first frame of an empty segment, and the head.
pub(crate) fn begin_segment<S: Storage>(
    storage: &mut S,
    (log, segment): (LogId, u64),
    after: After,
    key: SegmentKey,
    recipients: &[String],
    now: Timestamp,
) -> Result<Live> {
    let open = Open {
        log,
        segment,
        previous: after.hash,
        key: key.public(),
        recipients: recipients.to_vec(),
    };
    let payload = serde_json::to_vec(&open).map_err(|_| Error::Internal("a first frame"))?;
    let frame = make_frame(log, after, (Kind::Open, 0), payload, &key, now)?;
    let mut bytes = SEGMENT_START.to_vec();
    bytes.extend_from_slice(&frame.to_bytes());
    storage
        .append(segment, &bytes)
        .map_err(Error::io("begin a segment"))?;
    storage
        .sync(segment)
        .map_err(Error::io("sync a new segment"))?;
    let head = Head {
        log,
        segment,
        seq: frame.header.seq,
        next_row: after.row,
        length: bytes.len() as u64,
        hash: frame.hash,
        key: key.public(),
    };
    put_head(storage, &head)?;
    Ok(Live {
        head,
        key,
        opened: frame.header.micros,
        frames: 1,
    })
}

/// Signs a frame with these contents.
pub(crate) fn make_frame(
    log: LogId,
    after: After,
    (kind, rows): (Kind, u32),
    payload: Vec<u8>,
    key: &SegmentKey,
    now: Timestamp,
) -> Result<Frame> {
    let length = u32::try_from(payload.len()).map_err(|_| Error::Internal("a payload"))?;
    let header = Header {
        kind,
        seq: after.seq,
        first_row: after.row,
        rows,
        micros: micros(now),
        length,
    };
    Ok(Frame::sign(log, after.hash, header, payload, key))
}

pub(crate) fn put_head<S: Storage>(storage: &mut S, head: &Head) -> Result<()> {
    let bytes = head.to_file().ok_or(Error::Internal("a head"))?;
    storage
        .put_state(StateFile::Head, &bytes)
        .map_err(Error::io("write the head"))
}
