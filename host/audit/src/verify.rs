//! Verification, which needs no key to read with: each frame's hash and signature, each segment's key, and the anchors.

use std::collections::BTreeMap;
use std::io::Read;

use ampoule_signing::Timestamp;

use crate::anchor::Anchor;
use crate::cursor::{After, Cursor, Expected};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::frame::{Found, Frame, Frames};
use crate::segment_key::AuditKey;
use crate::storage::LogSource;

/// Things that are known of a log from elsewhere, and that it is held to.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Public key of segment 1, from the file `audit.pub`. Not used for a log that begins later.
    pub root: Option<AuditKey>,
    /// Frames that were noted before, in any order. Each of them must be met, but those of segments before the first.
    pub anchors: Vec<Anchor>,
    /// Number of the segment that the log begins with, where the ones before were moved away: an anchor in this segment
    /// is needed then. `None` for 1: a log without its beginning has a fault. Segments before this one are not read.
    pub first_segment: Option<u64>,
}

/// Outcome of a verification that found no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Last frame of the log. Keep it on another machine.
    pub last: Anchor,
    /// Number of the first segment that is there.
    pub first_segment: u64,
    /// Segments.
    pub segments: u64,
    /// Frames of all segments.
    pub frames: u64,
    /// Rows of all segments.
    pub rows: u64,
    /// Time of the first frame.
    pub first_time: Timestamp,
    /// Time of the last frame.
    pub last_time: Timestamp,
    /// Set when the last writer has ended by itself.
    pub is_closed: bool,
    /// Bytes of a frame that was not finished: a writer is at it, or was killed.
    pub unfinished_bytes: u64,
    /// Anchors that the log was held to, each counted once. Without any, frames may be missing at its end.
    pub anchors: usize,
}

/// Verifies a log from the segment that [`Marks::first_segment`] names to its end.
///
/// # Errors
///
/// [`Error::Fault`] for the first fault; `io.audit`.
pub fn verify(source: &impl LogSource, marks: &Marks) -> Result<Report> {
    let mut walk = Walk::new(source, marks)?;
    while walk.next_frame()?.is_some() {}
    walk.report()
}

/// A way through a log, frame by frame. Each frame that it returns is verified.
pub(crate) struct Walk<'w, S: LogSource> {
    source: &'w S,
    marks: &'w Marks,
    /// Anchors that were not met yet, by the number of their frame.
    unmet: BTreeMap<u64, Anchor>,
    /// Segments that were not begun yet, the next one last.
    left: Vec<u64>,
    first_segment: u64,
    frames: Option<Frames<Box<dyn Read + 'w>>>,
    cursor: Option<Cursor>,
    is_begun: bool,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    segments: u64,
    frames: u64,
    rows: u64,
    first_time: Option<Timestamp>,
    unfinished_bytes: u64,
    anchors: usize,
    is_closed: bool,
}

impl<'w, S: LogSource> Walk<'w, S> {
    /// Begins before the first segment.
    pub(crate) fn new(source: &'w S, marks: &'w Marks) -> Result<Self> {
        let first_segment = marks.first_segment.unwrap_or(1);
        let mut left = source.segments().map_err(Error::io("list the segments"))?;
        left.retain(|segment| *segment >= first_segment);
        left.reverse();
        if left.last() != Some(&first_segment) {
            let found = "the log's first segment is missing; where the files before a later one were moved away, name that \
                         one as the first";
            return Err(Fault::new(FaultKind::Missing, first_segment, 0, found).into());
        }
        Ok(Self {
            source,
            marks,
            unmet: unmet(marks, first_segment)?,
            left,
            first_segment,
            frames: None,
            cursor: None,
            is_begun: false,
            seen: Seen::default(),
        })
    }

    /// Returns the next frame; `None` at the end of the log.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>> {
        loop {
            let Some(frames) = &mut self.frames else {
                let Some(segment) = self.left.pop() else {
                    self.check_end()?;
                    return Ok(None);
                };
                self.open(segment)?;
                continue;
            };
            let found = frames.next().map_err(Error::io("read a segment"))?;
            let frame = match found {
                Found::Frame(frame) => frame,
                Found::Malformed => return Err(self.malformed()),
                Found::End => {
                    self.end_segment(0)?;
                    continue;
                }
                Found::Torn(torn) => {
                    let is_plausible = match (&self.cursor, self.is_begun) {
                        (_, false) => torn.is_opening(),
                        (Some(cursor), true) => {
                            cursor.next_key.is_none()
                                && torn.is_plausible(cursor.after.seq, cursor.after.row)
                        }
                        (None, true) => false,
                    };
                    if !is_plausible {
                        return Err(self.malformed());
                    }
                    let key = self.cursor.as_ref().and_then(|cursor| match self.is_begun {
                        true => Some(cursor.key),
                        false => cursor.next_key,
                    });
                    let next = self.seq().saturating_add(1);
                    if key.is_some_and(|key| torn.holds_signed_frame(&key, next)) {
                        return Err(self.fault(
                            FaultKind::Altered,
                            "a frame that was finished is announced as longer than it is",
                        ));
                    }
                    self.end_segment(torn.bytes)?;
                    continue;
                }
            };
            self.take(&frame)?;
            return Ok(Some(frame));
        }
    }

    fn open(&mut self, segment: u64) -> Result<()> {
        let due = self.segment();
        if self.cursor.is_some() && segment != due {
            return Err(self.fault(FaultKind::Missing, "a segment is missing"));
        }
        let failed = Error::io("read a segment");
        let (input, length) = self.source.open(segment).map_err(&failed)?;
        self.is_begun = false;
        self.frames = Frames::open(input, length).map_err(&failed)?;
        if self.frames.is_none() {
            // A writer may have been killed while it made the file.
            let is_short = length < crate::frame::SEGMENT_START.len() as u64;
            if !is_short || !self.left.is_empty() || self.cursor.is_none() {
                return Err(Fault::new(
                    FaultKind::Altered,
                    segment,
                    self.seq(),
                    "the segment does not begin as segments do",
                )
                .into());
            }
            self.seen.unfinished_bytes = length;
        }
        Ok(())
    }

    fn take(&mut self, frame: &Frame) -> Result<()> {
        if self.is_begun {
            let cursor = self.cursor.as_mut().ok_or(Error::Internal("no segment"))?;
            cursor.take(frame)?;
            cursor.check_signature(frame)?;
        } else {
            self.begin(frame)?;
        }
        let cursor = self.cursor.as_ref().ok_or(Error::Internal("no segment"))?;
        self.seen.frames += 1;
        self.seen.rows += u64::from(frame.header.rows);
        self.seen.first_time.get_or_insert(frame.header.time());
        self.seen.is_closed = frame.header.kind == crate::frame::Kind::Close;
        let found = cursor.anchor();
        if let Some(anchor) = self.unmet.remove(&found.seq) {
            if anchor != found {
                return Err(Fault::new(
                    FaultKind::RolledBack,
                    found.segment,
                    found.seq,
                    "another frame is in the place of the one that an anchor names",
                )
                .into());
            }
            self.seen.anchors += 1;
        }
        Ok(())
    }

    /// Takes the first frame of a segment.
    fn begin(&mut self, frame: &Frame) -> Result<()> {
        let (segment, expected) = match &self.cursor {
            Some(cursor) => {
                let expected = cursor.next_segment().ok_or_else(|| {
                    cursor.fault(FaultKind::Cut, "the segment before lacks its last frame")
                })?;
                (cursor.segment.saturating_add(1), expected)
            }
            None => (self.first_segment, self.first_expected()?),
        };
        let cursor = Cursor::open(segment, frame, &expected)?;
        let is_foreign = |anchor: &Anchor| anchor.log != cursor.log;
        if self.cursor.is_none() && self.marks.anchors.iter().any(is_foreign) {
            return Err(cursor
                .fault(FaultKind::Foreign, "an anchor is of another log")
                .into());
        }
        self.cursor = Some(cursor);
        self.is_begun = true;
        self.seen.segments += 1;
        Ok(())
    }

    /// Returns what is known of the first segment.
    fn first_expected(&self) -> Result<Expected> {
        if self.first_segment == 1 {
            let by_anchor = self.anchor_in(1).map(|anchor| anchor.key);
            let key = self.marks.root.or(by_anchor);
            return Ok(Expected {
                key: Some(key.ok_or_else(|| self.fault(FaultKind::Key, NO_MARK))?),
                after: Some(After::START),
                log: None,
            });
        }
        let anchor = self
            .anchor_in(self.first_segment)
            .ok_or_else(|| self.fault(FaultKind::Key, NO_MARK))?;
        Ok(Expected {
            log: Some(anchor.log),
            key: Some(anchor.key),
            after: None,
        })
    }

    fn anchor_in(&self, segment: u64) -> Option<&Anchor> {
        let mut anchors = self.marks.anchors.iter();
        anchors.find(|anchor| anchor.segment == segment)
    }

    /// Ends a segment; `unfinished` bytes follow its last frame.
    fn end_segment(&mut self, unfinished: u64) -> Result<()> {
        self.frames = None;
        let is_complete = self
            .cursor
            .as_ref()
            .is_some_and(|cursor| self.is_begun && cursor.next_key.is_some());
        if !self.left.is_empty() && !is_complete {
            return Err(self.fault(FaultKind::Cut, "the segment lacks its last frame"));
        }
        self.seen.unfinished_bytes = unfinished;
        Ok(())
    }

    fn check_end(&self) -> Result<()> {
        let Some(cursor) = &self.cursor else {
            return Err(self.fault(FaultKind::Cut, "the log has no whole frame"));
        };
        let Some(anchor) = self.unmet.values().next() else {
            return Ok(());
        };
        let found = match anchor.seq >= cursor.after.seq {
            true => "the log ends before the frame that an anchor names",
            false => "the log begins behind the frame that an anchor names in one of its segments",
        };
        Err(Fault::new(FaultKind::RolledBack, anchor.segment, anchor.seq, found).into())
    }

    /// Returns the number of the segment of the last frame.
    pub(crate) fn at_segment(&self) -> u64 {
        self.cursor
            .as_ref()
            .map_or(self.first_segment, |cursor| cursor.segment)
    }

    /// Returns the outcome, once the end was reached.
    pub(crate) fn report(&self) -> Result<Report> {
        let cursor = self.cursor.as_ref().ok_or(Error::Internal("no segment"))?;
        let Seen {
            segments,
            frames,
            rows,
            first_time,
            unfinished_bytes,
            anchors,
            is_closed,
        } = self.seen;
        Ok(Report {
            last: cursor.anchor(),
            first_segment: self.first_segment,
            segments,
            frames,
            rows,
            first_time: first_time.unwrap_or_default(),
            last_time: cursor.last.time(),
            is_closed,
            unfinished_bytes,
            anchors,
        })
    }

    /// Returns the number of the segment that the next frame belongs to.
    fn segment(&self) -> u64 {
        match &self.cursor {
            Some(cursor) if cursor.next_key.is_some() => cursor.segment.saturating_add(1),
            Some(cursor) => cursor.segment,
            None => self.first_segment,
        }
    }

    fn seq(&self) -> u64 {
        self.cursor.as_ref().map_or(0, |cursor| cursor.after.seq)
    }

    fn fault(&self, kind: FaultKind, found: &'static str) -> Error {
        Fault::new(kind, self.segment(), self.seq(), found).into()
    }

    fn malformed(&self) -> Error {
        self.fault(FaultKind::Altered, "there are bytes that are no frame's")
    }
}

/// Returns the anchors that a log has to meet, each once.
fn unmet(marks: &Marks, first_segment: u64) -> Result<BTreeMap<u64, Anchor>> {
    let mut unmet = BTreeMap::new();
    for anchor in &marks.anchors {
        if anchor.segment < first_segment {
            continue;
        }
        let known = unmet.insert(anchor.seq, *anchor);
        if known.is_some_and(|known| known.log == anchor.log && known != *anchor) {
            let found = "two anchors name different frames of one number";
            return Err(
                Fault::new(FaultKind::RolledBack, anchor.segment, anchor.seq, found).into(),
            );
        }
    }
    Ok(unmet)
}

const NO_MARK: &str = "nothing is known to hold the first segment to: expected the public key of segment 1, or an anchor \
                       in the segment that is named as the first";
