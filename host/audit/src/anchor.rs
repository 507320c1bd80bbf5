//! Anchors: short texts that say what a log's last frame was. One that is kept on another machine shows later that
//! frames were taken off the log's end, or that all of it was put back to an older state.

use std::fmt;
use std::str::FromStr;

use ampoule_units::ParseError;

use crate::chain::{FrameHash, LogId};
use crate::segment_key::AuditKey;

/// First word of an anchor.
const FORM: &str = "ampoule-audit-anchor-v1";

/// One frame of a log, by its hash. Text form: `ampoule-audit-anchor-v1 <log> <segment> <frame> <hash> <key>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Anchor {
    /// Log that the frame belongs to.
    pub log: LogId,
    /// Number of its segment, from 1.
    pub segment: u64,
    /// Number of the frame in the log, from 0.
    pub seq: u64,
    /// Hash of the frame, which is over all frames before it too.
    pub hash: FrameHash,
    /// Key of the segment.
    pub key: AuditKey,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            log,
            segment,
            seq,
            hash,
            key,
        } = self;
        write!(f, "{FORM} {log} {segment} {seq} {hash} {key}")
    }
}

impl FromStr for Anchor {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        read(text).ok_or_else(|| {
            ParseError(format!(
                "expected an anchor, `{FORM}` and five words, as `ampoule audit anchor` prints it"
            ))
        })
    }
}

fn read(text: &str) -> Option<Anchor> {
    let words: Vec<_> = text.trim_end().split(' ').collect();
    let [FORM, log, segment, seq, hash, key] = words[..] else {
        return None;
    };
    let anchor = Anchor {
        log: log.parse().ok()?,
        segment: segment.parse().ok()?,
        seq: seq.parse().ok()?,
        hash: hash.parse().ok()?,
        key: key.parse().ok()?,
    };
    // One spelling: no `+1`, no `01`.
    (anchor.to_string() == text.trim_end()).then_some(anchor)
}
