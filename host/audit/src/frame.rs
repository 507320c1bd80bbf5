//! Frames, which a segment is made of after its first line.
//!
//! ```text
//! segment = "AMPAUDIT1\n" frame*
//! frame   = kind u8 | seq u64 | first row u64 | rows u32 | time u64 | length u32 | payload | hash [32] | signature [64]
//! ```
//!
//! Numbers are big-endian, the time is in microseconds since 1970. The signature is the segment's key's over the hash
//! ([`FrameHash::checkpoint`]), so each frame is a signed checkpoint of all before it, and no unsigned byte is ever on
//! disk.

use std::io::{self, Read};

use ampoule_signing::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chain::{FrameHash, LogId};
use crate::segment_key::{AuditKey, SegmentKey};

/// First bytes of each segment.
pub(crate) const SEGMENT_START: &[u8; 10] = b"AMPAUDIT1\n";
/// Bytes of a frame before its payload.
pub(crate) const HEADER_BYTES: usize = 33;
/// Bytes of a frame after its payload: the hash and the signature.
pub(crate) const TRAILER_BYTES: usize = 96;
/// The longest payload. A frame names its own length, so a hostile log could otherwise have a reader take all the
/// memory there is.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;

/// Kind of a frame, and what its payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// First frame of a segment; [`Open`] in JSON.
    Open = 0,
    /// Rows, compressed and sealed.
    Batch = 1,
    /// Sign of life of a writer without rows; empty.
    Heartbeat = 2,
    /// Last frame of a segment; [`Handover`] in JSON.
    Handover = 3,
    /// Clean end of a writer; empty.
    Close = 4,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Open,
            1 => Self::Batch,
            2 => Self::Heartbeat,
            3 => Self::Handover,
            4 => Self::Close,
            _ => return None,
        })
    }
}

/// Payload of a segment's first frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open {
    /// Log that the segment belongs to.
    pub(crate) log: LogId,
    /// Number of the segment, from 1.
    pub(crate) segment: u64,
    /// Hash of the last frame of the segment before.
    pub(crate) previous: FrameHash,
    /// Key that signs the segment's frames, this one too.
    pub(crate) key: AuditKey,
    /// Public keys that the segment's rows are sealed to.
    pub(crate) recipients: Vec<String>,
}

/// Payload of a segment's last frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Handover {
    /// Key of the next segment.
    pub(crate) next: AuditKey,
}

/// Fields of a frame before its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// Number of the frame in the log, from 0.
    pub(crate) seq: u64,
    /// Number of the first row of this frame, or of the next one that has rows. Rows count from 0.
    pub(crate) first_row: u64,
    pub(crate) rows: u32,
    /// Time by the writer's clock, in microseconds since 1970.
    pub(crate) micros: u64,
    /// Bytes of the payload.
    pub(crate) length: u32,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut rest: &mut [u8] = &mut bytes;
        for field in [
            &[self.kind as u8][..],
            &self.seq.to_be_bytes(),
            &self.first_row.to_be_bytes(),
            &self.rows.to_be_bytes(),
            &self.micros.to_be_bytes(),
            &self.length.to_be_bytes(),
        ] {
            // The fields fill the array: they are 33 bytes.
            let _ = io::Write::write_all(&mut rest, field);
        }
        bytes
    }

    /// Reads the fields; `None` for a kind that there is not, or too long a payload.
    fn of(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let [kind] = fields.next()?;
        let header = Self {
            kind: Kind::of(kind)?,
            seq: u64::from_be_bytes(fields.next()?),
            first_row: u64::from_be_bytes(fields.next()?),
            rows: u32::from_be_bytes(fields.next()?),
            micros: u64::from_be_bytes(fields.next()?),
            length: u32::from_be_bytes(fields.next()?),
        };
        (header.payload_bytes() <= MAX_PAYLOAD_BYTES).then_some(header)
    }

    fn payload_bytes(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    /// Returns the number of the row after this frame's; `None` past the end of numbers.
    pub(crate) fn next_row(&self) -> Option<u64> {
        self.first_row.checked_add(u64::from(self.rows))
    }

    /// Returns the frame's time, cut to what a time can be.
    pub(crate) fn time(&self) -> Timestamp {
        let micros = i64::try_from(self.micros).ok();
        micros
            .and_then(|micros| Timestamp::from_microsecond(micros).ok())
            .unwrap_or(Timestamp::MAX)
    }
}

struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    fn next<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}

/// Returns a time in the microseconds of a frame.
pub(crate) fn micros(time: Timestamp) -> u64 {
    u64::try_from(time.as_microsecond()).unwrap_or(0)
}

/// A frame as it was read. Nothing of it is checked but its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    pub(crate) hash: FrameHash,
    pub(crate) signature: [u8; 64],
}

impl Frame {
    /// Makes a frame that follows one with the hash `previous`.
    pub(crate) fn sign(
        log: LogId,
        previous: FrameHash,
        header: Header,
        payload: Vec<u8>,
        key: &SegmentKey,
    ) -> Self {
        let hash = FrameHash::following(log, previous, &header.to_bytes(), &payload);
        Self {
            header,
            signature: key.sign(hash),
            payload,
            hash,
        }
    }

    /// Tells whether the hash is that of the frame's bytes and of the frame before.
    pub(crate) fn follows(&self, log: LogId, previous: FrameHash) -> bool {
        self.hash == FrameHash::following(log, previous, &self.header.to_bytes(), &self.payload)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.byte_len());
        bytes.extend_from_slice(&self.header.to_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes.extend_from_slice(&self.hash.0);
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    pub(crate) fn byte_len(&self) -> usize {
        HEADER_BYTES + self.payload.len() + TRAILER_BYTES
    }
}

/// Outcome of reading one frame.
#[derive(Debug)]
pub(crate) enum Found {
    Frame(Frame),
    /// The segment ends here.
    End,
    /// Bytes of a frame whose rest is missing, or zero up to the end, as a power cut leaves it.
    Torn(Torn),
    /// The bytes are no frame's.
    Malformed,
}

/// Start of a frame that was never finished.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Torn {
    /// First bytes: no more than a header.
    start: Vec<u8>,
    /// Bytes behind a whole header.
    rest: Vec<u8>,
    /// Bytes up to the end of the segment.
    pub(crate) bytes: u64,
    /// All of them are zero: nothing of a frame was written.
    pub(crate) is_zero: bool,
}

impl Torn {
    /// Tells whether a writer can have begun a segment's first frame so.
    pub(crate) fn is_opening(&self) -> bool {
        let kind = self.start.first().copied().and_then(Kind::of);
        is_zero(&self.start) || kind == Some(Kind::Open)
    }

    /// Tells whether the bytes hold a frame that was finished: somebody has raised a frame's length. A hash that `key`
    /// signed stands before the header of a frame with the number `next`, or at the very end. Of a frame that its writer
    /// did not finish there is none, and the writer begins no other behind it.
    pub(crate) fn holds_signed_frame(&self, key: &AuditKey, next: u64) -> bool {
        /// Places that are looked at. Sealed rows hold the number by chance once in 2^64 bytes.
        const MOST: usize = 64;
        let number = next.to_be_bytes();
        let headers = self
            .rest
            .windows(number.len())
            .enumerate()
            .filter(|(_, bytes)| *bytes == number)
            .filter_map(|(at, _)| at.checked_sub(1))
            .filter(|header| *header >= TRAILER_BYTES);
        let mut count = 0;
        for end in headers.chain([self.rest.len()]) {
            count += 1;
            let body = self.rest.get(..end).unwrap_or_default();
            let is_signed = body
                .split_last_chunk::<64>()
                .and_then(|(rest, signature)| Some((*rest.last_chunk()?, signature)))
                .is_some_and(|(hash, signature)| key.verifies(FrameHash(hash), signature));
            if is_signed || count > MOST {
                return true;
            }
        }
        false
    }

    /// Tells whether a writer can have begun a frame with these numbers so, up to zeros. Garbage is none.
    pub(crate) fn is_plausible(&self, seq: u64, first_row: u64) -> bool {
        let zeros = self.start.iter().rev().take_while(|byte| **byte == 0);
        let written = self.start.len() - zeros.count();
        let written = self.start.get(..written).unwrap_or_default();
        let Some((kind, numbers)) = written.split_first() else {
            return true;
        };
        let expected = seq.to_be_bytes().into_iter().chain(first_row.to_be_bytes());
        Kind::of(*kind).is_some_and(|kind| kind != Kind::Open)
            && numbers
                .iter()
                .zip(expected)
                .all(|(found, expected)| *found == expected)
    }
}

/// The frames of one segment, after its first line.
pub(crate) struct Frames<R> {
    input: io::Take<R>,
    /// Bytes of the segment that were not read yet.
    left: u64,
}

impl<R: Read> Frames<R> {
    /// Reads a segment of `length` bytes. Of one that is written meanwhile, no more is read. `None` where the first line
    /// is another.
    pub(crate) fn open(input: R, length: u64) -> io::Result<Option<Self>> {
        let mut frames = Self {
            input: input.take(length),
            left: length,
        };
        let start = frames.read(SEGMENT_START.len())?;
        Ok((start == SEGMENT_START).then_some(frames))
    }

    /// Returns the bytes of the segment that no frame has taken yet.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Reads one frame. Memory grows with the bytes that are there, and not with the length that a header announces.
    pub(crate) fn next(&mut self) -> io::Result<Found> {
        let bytes = self.left;
        let start = self.read(HEADER_BYTES)?;
        if start.is_empty() {
            return Ok(Found::End);
        }
        let is_zero_start = is_zero(&start);
        let torn = |start, rest, is_zero| {
            Ok(Found::Torn(Torn {
                start,
                rest,
                bytes,
                is_zero,
            }))
        };
        let Ok(header) = <&[u8; HEADER_BYTES]>::try_from(start.as_slice()) else {
            return torn(start, Vec::new(), is_zero_start);
        };
        let Some(header) = Header::of(header) else {
            return Ok(Found::Malformed);
        };
        let rest = header.payload_bytes() + TRAILER_BYTES;
        let body = self.read(rest)?;
        let is_zero_frame = is_zero_start && is_zero(&body);
        if body.len() < rest {
            return torn(start, body, is_zero_frame);
        }
        let Some(frame) = whole(header, body) else {
            return Ok(Found::Malformed);
        };
        if is_zero(&frame.signature) && self.is_zero_to_the_end()? {
            return torn(start, Vec::new(), is_zero_frame);
        }
        Ok(Found::Frame(frame))
    }

    fn read(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.input
            .by_ref()
            .take(most as u64)
            .read_to_end(&mut bytes)?;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Ok(bytes)
    }

    /// Reads on to the end, up to the first byte that is not zero.
    pub(crate) fn is_zero_to_the_end(&mut self) -> io::Result<bool> {
        loop {
            let part = self.read(4096)?;
            if part.is_empty() || !is_zero(&part) {
                return Ok(part.is_empty());
            }
        }
    }
}

fn whole(header: Header, mut body: Vec<u8>) -> Option<Frame> {
    let (rest, signature) = body.split_last_chunk::<64>()?;
    let (payload, hash) = rest.split_last_chunk::<32>()?;
    let (length, hash, signature) = (payload.len(), FrameHash(*hash), *signature);
    body.truncate(length);
    Some(Frame {
        header,
        payload: body,
        hash,
        signature,
    })
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
