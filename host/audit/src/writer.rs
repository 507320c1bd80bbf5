//! The one writer of a log. It holds public keys to seal rows to, the signing key of one segment, and the hash of the
//! last frame: with that it can go on, and can read nothing.

use std::time::Duration;

use ampoule_signing::Timestamp;
use ampoule_units::ByteSize;

use crate::anchor::Anchor;
use crate::begin::{Live, make_frame, put_head};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::frame::{Handover, Kind, MAX_PAYLOAD_BYTES, TRAILER_BYTES, micros};
use crate::recover::{Attempt, Recovered, recover};
use crate::seal::{Recipients, Sealed};
use crate::segment_key::SegmentKey;
use crate::storage::{StateFile, Storage};

/// Time at which frames are brought to disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncEach {
    /// With each frame: a power cut takes what was not written yet.
    #[default]
    Batch,
    /// At the end of each segment: a power cut takes up to a segment, unseen unless there is an anchor. Where the disk
    /// fails while a segment is brought to it, the power cut may take frames that the head names.
    Segment,
}

/// Settings of a writer.
#[derive(Clone, Debug)]
pub struct WriterSettings {
    /// Public keys that rows are sealed to. Each of their identities can read all rows.
    pub recipients: Recipients,
    /// Length from which a segment is followed by a next one.
    pub segment_bytes: ByteSize,
    /// Age from which a segment is followed by a next one.
    pub segment_age: Duration,
    /// Time at which frames are brought to disk.
    pub sync: SyncEach,
}

impl WriterSettings {
    /// Returns the usual settings: a segment is 64 MiB or a day, and each frame is brought to disk.
    #[must_use]
    pub fn new(recipients: Recipients) -> Self {
        Self {
            recipients,
            segment_bytes: ByteSize::from_bytes(64 << 20),
            segment_age: Duration::from_secs(24 * 60 * 60),
            sync: SyncEach::default(),
        }
    }
}

/// Writer of a log.
///
/// After an error all calls first look again at what is on disk, as after a crash, and cut off what the failed write may
/// have left. A batch whose write failed is given again by the caller, and is in the log once: the head may have named it
/// before the failure.
#[derive(Debug)]
pub struct Writer<S> {
    storage: S,
    settings: WriterSettings,
    recipients: Vec<String>,
    /// `None` after a failure.
    live: Option<Live>,
    /// Number of the row that comes next, as far as callers were told.
    next_row: u64,
    last: Anchor,
    /// Last frame that callers were told of, and the one that was tried behind it.
    attempt: Attempt,
    torn_bytes: u64,
}

impl<S: Storage> Writer<S> {
    /// Opens a log, finishes what a crash left half done, and begins one in empty directories.
    ///
    /// # Errors
    ///
    /// [`Error::Fault`] and [`Error::State`] where the log is not as its writer left it: then nothing was changed. Those
    /// of the storage.
    pub fn open(mut storage: S, settings: WriterSettings, now: Timestamp) -> Result<Self> {
        let recipients = settings.recipients.texts();
        let Recovered { live, torn_bytes } = recover(&mut storage, None, &recipients, now)?;
        Ok(Self {
            storage,
            settings,
            recipients,
            next_row: live.head.next_row,
            last: live.head.anchor(),
            attempt: Attempt {
                told: live.head,
                tried: None,
            },
            live: Some(live),
            torn_bytes,
        })
    }

    /// Returns the number of the next row. Rows count from 0.
    #[must_use]
    pub fn next_row(&self) -> u64 {
        self.next_row
    }

    /// Returns the bytes of an unfinished frame that opening cut off.
    #[must_use]
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Returns the last frame that was written, as an anchor.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        self.last
    }

    /// Returns the public keys that rows are sealed to.
    #[must_use]
    pub fn recipients(&self) -> &Recipients {
        &self.settings.recipients
    }

    /// Writes sealed rows, the first of which has the number [`Writer::next_row`].
    ///
    /// # Errors
    ///
    /// The storage's: give the rows again. [`Error::Fault`] and [`Error::State`] where somebody else changed the log.
    pub fn append(&mut self, sealed: &Sealed, now: Timestamp) -> Result<()> {
        if sealed.bytes().len() > MAX_PAYLOAD_BYTES || sealed.rows() == 0 {
            return Err(Error::TooLarge {
                found: sealed.bytes().len(),
                most: MAX_PAYLOAD_BYTES,
            });
        }
        let first_row = self.next_row;
        self.lively(now)?;
        let after = first_row.saturating_add(u64::from(sealed.rows()));
        if self.next_row != first_row {
            // The failed write had been whole.
            return if self.next_row == after {
                Ok(())
            } else {
                Err(self.overtaken())
            };
        }
        self.write(Kind::Batch, sealed.rows(), sealed.bytes(), now)
    }

    /// Writes a frame without rows, which shows that the writer lives.
    ///
    /// # Errors
    ///
    /// As [`Writer::append`].
    pub fn heartbeat(&mut self, now: Timestamp) -> Result<()> {
        self.empty(Kind::Heartbeat, now)
    }

    /// Writes a frame that shows a clean end.
    ///
    /// # Errors
    ///
    /// As [`Writer::append`].
    pub fn close(&mut self, now: Timestamp) -> Result<()> {
        self.empty(Kind::Close, now)?;
        self.attempt(|writer| {
            let live = writer.live.as_ref().ok_or(Error::Internal("no log"))?;
            let head = live.head;
            writer
                .storage
                .sync(head.segment)
                .map_err(Error::io("sync a segment"))?;
            put_head(&mut writer.storage, &head)
        })
    }

    /// Returns the storage, for whoever has made it.
    pub fn into_storage(self) -> S {
        self.storage
    }

    fn empty(&mut self, kind: Kind, now: Timestamp) -> Result<()> {
        let before = self.next_row;
        self.lively(now)?;
        if self.next_row != before {
            return Err(self.overtaken());
        }
        self.write(kind, 0, &[], now)
    }

    fn overtaken(&self) -> Error {
        let Anchor { segment, seq, .. } = self.last;
        let found = "rows are in the log that this process did not write";
        Error::Fault(Fault::new(FaultKind::Order, segment, seq, found))
    }

    /// Looks again at what is there, after a failure.
    fn lively(&mut self, now: Timestamp) -> Result<()> {
        if self.live.is_none() {
            let known = self.last;
            let attempt = Some(&self.attempt);
            let Recovered { live, .. } =
                recover(&mut self.storage, attempt, &self.recipients, now)?;
            if live.head.log != known.log || live.head.seq < known.seq {
                return Err(Error::State("the log was replaced while it was written"));
            }
            self.settle(live);
        }
        Ok(())
    }

    fn settle(&mut self, live: Live) {
        self.next_row = live.head.next_row;
        self.last = live.head.anchor();
        self.attempt.told = live.head;
        self.live = Some(live);
    }

    fn write(&mut self, kind: Kind, rows: u32, payload: &[u8], now: Timestamp) -> Result<()> {
        self.attempt(|writer| {
            if writer.is_full(payload.len(), now) {
                writer.rotate(now)?;
            }
            let sync = writer.settings.sync == SyncEach::Batch;
            writer.put((kind, rows), payload, sync, now)
        })
    }

    /// Does something that leaves the writer to look again if it fails.
    fn attempt(&mut self, act: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let done = act(self);
        if done.is_err() {
            self.live = None;
        }
        done
    }

    /// Tells whether the next frame belongs into the next segment. A segment has one frame beside its first at least.
    fn is_full(&self, payload: usize, now: Timestamp) -> bool {
        self.live.as_ref().is_some_and(|live| {
            let length = live.head.length + payload as u64 + TRAILER_BYTES as u64;
            let age = Duration::from_micros(micros(now).saturating_sub(live.opened));
            live.frames > 1
                && (length > self.settings.segment_bytes.bytes()
                    || age >= self.settings.segment_age)
        })
    }

    /// Ends the segment and begins the next.
    fn rotate(&mut self, now: Timestamp) -> Result<()> {
        let next = SegmentKey::generate()?;
        self.storage
            .put_state(StateFile::NextKey, next.to_file().as_bytes())
            .map_err(Error::io("write the next key"))?;
        let handover = Handover {
            next: next.public(),
        };
        let payload = serde_json::to_vec(&handover).map_err(|_| Error::Internal("a last frame"))?;
        self.put((Kind::Handover, 0), &payload, true, now)?;
        // The rest is what a start after a crash would do.
        self.live = None;
        let Recovered { live, .. } = recover(&mut self.storage, None, &self.recipients, now)?;
        self.settle(live);
        Ok(())
    }

    /// Writes one frame, and the head once the frame is on disk.
    fn put(
        &mut self,
        (kind, rows): (Kind, u32),
        payload: &[u8],
        sync: bool,
        now: Timestamp,
    ) -> Result<()> {
        let live = self.live.as_mut().ok_or(Error::Internal("no log"))?;
        let (log, segment) = (live.head.log, live.head.segment);
        let after = live.after();
        let frame = make_frame(log, after, (kind, rows), payload.to_vec(), &live.key, now)?;
        let bytes = frame.to_bytes();
        self.attempt.tried = Some(frame.hash);
        self.storage
            .append(segment, &bytes)
            .map_err(Error::io("write a frame"))?;
        let next_row = frame.header.next_row();
        live.head.seq = frame.header.seq;
        live.head.hash = frame.hash;
        live.head.length += bytes.len() as u64;
        live.head.next_row = next_row.ok_or(Error::Internal("a row's number"))?;
        live.frames += 1;
        if sync {
            let head = live.head;
            self.storage
                .sync(segment)
                .map_err(Error::io("sync a frame"))?;
            put_head(&mut self.storage, &head)?;
        }
        self.next_row = live.head.next_row;
        self.last = live.head.anchor();
        self.attempt.told = live.head;
        Ok(())
    }
}
