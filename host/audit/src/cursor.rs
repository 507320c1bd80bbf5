//! A place in a log, which moves over one frame at a time and checks it against the frames before.

use crate::anchor::Anchor;
use crate::chain::{FrameHash, LogId};
use crate::fault::{Fault, FaultKind};
use crate::frame::{Frame, Handover, Header, Kind, Open};
use crate::segment_key::AuditKey;

/// Things that are known of a segment before its first frame is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) log: Option<LogId>,
    pub(crate) key: Option<AuditKey>,
    pub(crate) after: Option<After>,
}

/// The frame before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct After {
    pub(crate) hash: FrameHash,
    /// Number of the frame that follows.
    pub(crate) seq: u64,
    /// Number of the row that follows.
    pub(crate) row: u64,
}

impl After {
    /// Before a log's first frame.
    pub(crate) const START: Self = Self {
        hash: FrameHash::START,
        seq: 0,
        row: 0,
    };
}

/// A place behind a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pub(crate) log: LogId,
    pub(crate) segment: u64,
    pub(crate) key: AuditKey,
    pub(crate) last: Header,
    pub(crate) after: After,
    /// Key of the next segment, once the segment has its last frame.
    pub(crate) next_key: Option<AuditKey>,
    /// Frames of the segment before this place.
    pub(crate) frames: u64,
    /// Time of the segment's first frame, in microseconds since 1970.
    pub(crate) opened: u64,
}

impl Cursor {
    /// Moves over a segment's first frame.
    pub(crate) fn open(segment: u64, frame: &Frame, expected: &Expected) -> Result<Self, Fault> {
        let header = frame.header;
        let fault = |kind, found| Fault::new(kind, segment, header.seq, found);
        if header.kind != Kind::Open {
            return Err(fault(
                FaultKind::Altered,
                "the segment does not begin with its first frame",
            ));
        }
        let open: Open = serde_json::from_slice(&frame.payload).map_err(|_| {
            fault(
                FaultKind::Altered,
                "the segment's first frame is not readable",
            )
        })?;
        if open.segment != segment {
            return Err(fault(
                FaultKind::Missing,
                "the segment has another one's number",
            ));
        }
        if expected.log.is_some_and(|log| log != open.log) {
            return Err(fault(
                FaultKind::Foreign,
                "the segment belongs to another log",
            ));
        }
        if let Some(after) = expected.after {
            if after.hash != open.previous {
                return Err(fault(
                    FaultKind::Missing,
                    "the segment does not follow the one before it",
                ));
            }
            check_numbers(segment, &header, after)?;
        }
        if expected.key.is_some_and(|key| key != open.key) {
            return Err(fault(
                FaultKind::Key,
                "the segment's key is not the one that was named for it",
            ));
        }
        let mut cursor = Self {
            log: open.log,
            segment,
            key: open.key,
            last: header,
            after: After {
                hash: open.previous,
                seq: header.seq,
                row: header.first_row,
            },
            next_key: None,
            frames: 0,
            opened: header.micros,
        };
        if header.rows != 0 {
            return Err(fault(FaultKind::Altered, "the first frame has rows"));
        }
        cursor.check_hash(frame)?;
        cursor.check_signature(frame)?;
        cursor.advance(frame)?;
        Ok(cursor)
    }

    /// Moves over the next frame of the segment. Its signature is checked apart ([`Cursor::check_signature`]).
    pub(crate) fn take(&mut self, frame: &Frame) -> Result<(), Fault> {
        if self.next_key.is_some() {
            return Err(self.fault(FaultKind::Missing, "a frame follows the segment's last one"));
        }
        let header = frame.header;
        check_numbers(self.segment, &header, self.after)?;
        self.check_hash(frame)?;
        let fits = match header.kind {
            Kind::Open => false,
            Kind::Batch => header.rows > 0,
            Kind::Heartbeat | Kind::Close => header.rows == 0 && frame.payload.is_empty(),
            Kind::Handover => {
                let handover: Option<Handover> = serde_json::from_slice(&frame.payload).ok();
                self.next_key = handover.map(|handover| handover.next);
                header.rows == 0 && self.next_key.is_some()
            }
        };
        if !fits {
            return Err(self.fault(FaultKind::Altered, "the frame's content is not of its kind"));
        }
        self.advance(frame)
    }

    /// Checks that the segment's key signed a frame.
    pub(crate) fn check_signature(&self, frame: &Frame) -> Result<(), Fault> {
        if self.key.verifies(frame.hash, &frame.signature) {
            return Ok(());
        }
        Err(Fault::new(
            FaultKind::Signature,
            self.segment,
            frame.header.seq,
            "the frame is not signed by the segment's key",
        ))
    }

    /// Makes a fault at this place.
    pub(crate) fn fault(&self, kind: FaultKind, found: &'static str) -> Fault {
        Fault::new(kind, self.segment, self.after.seq, found)
    }

    /// Returns what is known of the segment after this one, once this one has its last frame.
    pub(crate) fn next_segment(&self) -> Option<Expected> {
        self.next_key.map(|key| Expected {
            log: Some(self.log),
            key: Some(key),
            after: Some(self.after),
        })
    }

    /// Returns the last frame as an anchor.
    pub(crate) fn anchor(&self) -> Anchor {
        Anchor {
            log: self.log,
            segment: self.segment,
            seq: self.last.seq,
            hash: self.after.hash,
            key: self.key,
        }
    }

    fn check_hash(&self, frame: &Frame) -> Result<(), Fault> {
        if frame.follows(self.log, self.after.hash) {
            return Ok(());
        }
        Err(self.fault(
            FaultKind::Altered,
            "the frame's hash is not that of its bytes and of the frames before",
        ))
    }

    fn advance(&mut self, frame: &Frame) -> Result<(), Fault> {
        let header = frame.header;
        let (Some(seq), Some(row)) = (header.seq.checked_add(1), header.next_row()) else {
            return Err(self.fault(FaultKind::Order, "there is no number after the frame's"));
        };
        self.last = header;
        self.frames += 1;
        self.after = After {
            hash: frame.hash,
            seq,
            row,
        };
        Ok(())
    }
}

fn check_numbers(segment: u64, header: &Header, after: After) -> Result<(), Fault> {
    if header.seq == after.seq && header.first_row == after.row {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Order,
        segment,
        after.seq,
        "the frame's numbers do not follow from the frame before",
    ))
}
