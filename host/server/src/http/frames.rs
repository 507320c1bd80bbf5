//! Bodies of answers in small frames, each with the room that the whole takes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

/// Bytes of a frame. A connection asks for the next one when it has handed most of the last to the system, so the answer's
/// end is known to within a few frames.
const FRAME_BYTES: usize = 64 << 10;

/// Times that the reader of an answer with room may take as long as one that stalls. A reader who takes as little as is
/// allowed each time would keep others from that room for hours.
const STALL_TIMES: u32 = 10;

/// A body that is handed over in frames of [`FRAME_BYTES`] at most.
#[derive(Debug)]
pub(crate) struct Frames {
    body: Body,
    rest: Bytes,
    room: Option<LentRoom>,
}

/// The room of an answer, and the time until which its reader has it.
#[derive(Debug)]
struct LentRoom {
    permit: Arc<OwnedSemaphorePermit>,
    until: Option<Instant>,
}

/// Bytes with the room that they take. The room is given back when nobody has any of the bytes.
struct Kept {
    bytes: Bytes,
    _room: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Frames {
    /// Begins to hand over a body. Its reader has ten times the `stall_time` where it takes room; the connection of one who
    /// is slower ends. Time is looked at with each frame, and whoever takes none is ended by the connection's own bound.
    pub(crate) fn new(
        body: Body,
        room: Option<OwnedSemaphorePermit>,
        stall_time: Duration,
    ) -> Self {
        let room = room.map(|permit| LentRoom {
            permit: Arc::new(permit),
            until: Instant::now().checked_add(stall_time.saturating_mul(STALL_TIMES)),
        });
        Self {
            body,
            rest: Bytes::new(),
            room,
        }
    }

    fn keep(&self, bytes: Bytes) -> Bytes {
        match &self.room {
            Some(room) => Bytes::from_owner(Kept {
                bytes,
                _room: Arc::clone(&room.permit),
            }),
            None => bytes,
        }
    }
}

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let until = self.room.as_ref().and_then(|room| room.until);
        if until.is_some_and(|until| Instant::now() >= until) {
            let slow = io::Error::new(io::ErrorKind::TimedOut, "the answer is taken too slowly");
            return Poll::Ready(Some(Err(axum::Error::new(slow))));
        }
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            match frame.into_data() {
                Ok(bytes) => self.rest = self.keep(bytes),
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let bytes = self.rest.len().min(FRAME_BYTES);
        let frame = self.rest.split_to(bytes);
        if self.rest.is_empty() {
            // An empty slice would keep the room.
            self.rest = Bytes::new();
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = HttpBody::size_hint(&self.body);
        let mut hint = SizeHint::new();
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(body.lower().saturating_add(rest));
        hint
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use ampoule::ByteSize;
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::request::room::Rooms;

    #[test]
    fn an_answer_keeps_its_room_until_the_last_of_its_frames_is_gone() {
        let rooms = Rooms::new(ByteSize::from_mib(16), 1);
        let room = rooms.answer(1 << 20).unwrap();
        let mut body = Frames::new(Body::from(vec![7; 200_000]), Some(room), Duration::MAX);
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().now_or_never().unwrap() {
            assert_eq!(body.is_end_stream(), body.size_hint().exact() == Some(0));
            frames.push(frame.unwrap().into_data().unwrap());
        }
        drop(body);
        assert!(frames.iter().all(|frame| frame.len() <= FRAME_BYTES));
        assert_eq!(frames.concat(), vec![7; 200_000]);
        frames.truncate(1);
        assert!(
            rooms.answer(1).is_err(),
            "a frame keeps the whole in memory"
        );
        frames.clear();
        assert!(rooms.answer(1).is_ok());
    }

    #[test]
    fn a_reader_who_is_too_slow_for_all_of_an_answer_loses_its_room() {
        let rooms = Rooms::new(ByteSize::from_mib(16), 1);
        for (stall_time, is_slow) in [(Duration::ZERO, true), (Duration::from_secs(60), false)] {
            let room = rooms.answer(1 << 20).unwrap();
            let large = Body::from(vec![7; 200_000]);
            let mut body = Frames::new(large, Some(room), stall_time);
            let frame = body.frame().now_or_never().unwrap().unwrap();
            assert_eq!(frame.is_err(), is_slow);
        }
        let mut small = Frames::new(Body::from("small"), None, Duration::ZERO);
        let frame = small.frame().now_or_never().unwrap().unwrap();
        assert!(frame.is_ok(), "it takes no room");
    }
}
