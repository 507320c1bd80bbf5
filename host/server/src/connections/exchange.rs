//! A request and its answer, as the progress of their connection counts them.

use std::sync::Arc;

use bytes::Bytes;

use crate::connections::phase::Phase;
use crate::connections::progress::Progress;
use crate::request::family::Family;

/// A request and its answer. Clones are the same ones.
#[derive(Clone, Debug)]
pub(super) enum Exchange {
    /// The only one on its connection, by HTTP/1.
    Only(Arc<Progress>),
    /// One of those on its connection, by HTTP/2. It is over when the last clone is dropped.
    Stream(Arc<StreamSlot>),
}

/// A stream's place among those of its connection.
#[derive(Debug)]
pub(super) struct StreamSlot {
    progress: Arc<Progress>,
    id: u64,
}

/// Bytes of an answer that wait until the client has room for them.
struct Handed {
    bytes: Bytes,
    slot: Arc<StreamSlot>,
}

impl Exchange {
    pub(super) fn begin(progress: &Arc<Progress>, family: Family, has_body: bool) -> Self {
        match progress.begin_stream(has_body) {
            Some(id) => Self::Stream(Arc::new(StreamSlot {
                progress: Arc::clone(progress),
                id,
            })),
            None => {
                progress.begin(family, has_body);
                Self::Only(Arc::clone(progress))
            }
        }
    }

    /// Notes that bytes of the request's body have come.
    pub(super) fn received(&self) {
        match self {
            Self::Only(progress) => progress.received(),
            Self::Stream(slot) => slot
                .progress
                .of_streams(|streams| streams.received(slot.id)),
        }
    }

    /// Notes that the request's body is over.
    pub(super) fn uploaded(&self) {
        match self {
            Self::Only(progress) => progress.uploaded(),
            Self::Stream(slot) => slot
                .progress
                .of_streams(|streams| streams.uploaded(slot.id)),
        }
    }

    /// Notes that nobody reads the rest of the request's body. The rest of a stream's is refused without an end of the
    /// connection.
    pub(super) fn leave_unread(&self) {
        match self {
            Self::Only(progress) => progress.leave_unread(),
            Self::Stream(_) => self.uploaded(),
        }
    }

    pub(super) fn leave_nothing(&self) {
        if let Self::Only(progress) = self {
            progress.leave_nothing();
        }
    }

    /// Tells whether there is a rest of a body that has to be read before a next request.
    pub(super) fn is_unread(&self) -> bool {
        match self {
            Self::Only(progress) => progress.is_unread(),
            Self::Stream(_) => false,
        }
    }

    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Notes that these bytes of the answer wait to be sent, until they are dropped.
    pub(super) fn handed(&self, bytes: Bytes) -> Bytes {
        match self {
            Self::Stream(slot) if !bytes.is_empty() => {
                let slot = Arc::clone(slot);
                slot.progress
                    .of_streams(|streams| streams.handed(slot.id, bytes.len()));
                Bytes::from_owner(Handed { bytes, slot })
            }
            _ => bytes,
        }
    }

    /// Notes that the answer was handed over.
    pub(super) fn answered(&self) {
        if let Self::Only(progress) = self {
            progress.enter(Phase::Idle);
        }
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.progress.of_streams(|streams| streams.end(self.id));
    }
}

impl AsRef<[u8]> for Handed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        let (id, bytes) = (self.slot.id, self.bytes.len());
        self.slot
            .progress
            .of_streams(|streams| streams.taken(id, bytes));
    }
}
