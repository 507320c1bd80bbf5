//! The head: the last frame that the writer knows to be on disk, in a directory that whoever can change the log need
//! not be able to change.

use serde::{Deserialize, Serialize};

use crate::anchor::Anchor;
use crate::chain::{FrameHash, LogId};
use crate::segment_key::AuditKey;

/// Bytes of the file that are read, which are more than it may have.
pub const MAX_HEAD_BYTES: u64 = 4096;

/// The last frame that was synced. File: JSON of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub(crate) log: LogId,
    pub(crate) segment: u64,
    pub(crate) seq: u64,
    /// Number of the row after the frame's last.
    pub(crate) next_row: u64,
    /// Length of the segment up to the frame's end.
    pub(crate) length: u64,
    pub(crate) hash: FrameHash,
    pub(crate) key: AuditKey,
}

impl Head {
    pub(crate) fn of_file(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn to_file(self) -> Option<Vec<u8>> {
        let mut bytes = serde_json::to_vec(&self).ok()?;
        bytes.push(b'\n');
        Some(bytes)
    }

    pub(crate) fn anchor(&self) -> Anchor {
        Anchor {
            log: self.log,
            segment: self.segment,
            seq: self.seq,
            hash: self.hash,
            key: self.key,
        }
    }
}

/// Reads the content of the file `head` of a state directory as an anchor.
///
/// # Errors
///
/// Says that it is none.
pub fn anchor_of_head(bytes: &[u8]) -> Result<Anchor, ampoule_units::ParseError> {
    let head = Head::of_file(bytes).ok_or_else(|| {
        ampoule_units::ParseError("expected the file `head` of an audit log's state".to_owned())
    })?;
    Ok(head.anchor())
}
