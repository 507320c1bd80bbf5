//! HTTP/2 on a connection: its bounds, and the frames that its progress is seen by.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::task::TaskTracker;

use crate::connections::heads::Heads;
use crate::connections::phase::Phase;
use crate::connections::progress::{Ending, Progress};
use crate::connections::request::Requests;
use crate::connections::settings::HEAD_LIST_BYTES;
use crate::connections::stream::Stream;

/// Requests of one connection at one time. A client that has more to ask waits, or opens another connection. Each may hold
/// a frame of an answer, of 64 KiB.
const STREAMS: u32 = 32;

/// Bytes of one request's body that may be on the way, and of those of all requests. Twice as many as the field's default,
/// which is 5 Mbit/s at 100 ms; each open connection may make the host hold so many.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;

/// Bytes of an answer that are kept for a client which has no room for them, beyond the frame that was handed over.
const SEND_BUFFER: usize = 8 << 10;

/// Streams that a client has taken back before they were looked at (CVE-2023-44487). Beyond them its connection is ended.
const TAKEN_BACK: usize = 20;

/// Streams that were refused or ended here, over the life of a connection. Beyond them it is ended. A client may send a
/// hundred requests and more before it has read how many are allowed, and has not misbehaved.
const ENDED_HERE: usize = 1_024;

/// Time between two looks at a connection that is to end when its requests are answered.
const TICK: Duration = Duration::from_millis(100);

/// Longest time that a connection without a request stays open after its client was told that it ends. A request that was
/// sent before the client has read that comes in the meantime.
const FAREWELL: Duration = Duration::from_secs(1);

/// Runs requests as tasks that are waited for with those of the connections.
#[derive(Clone, Debug)]
pub(super) struct Tasks(TaskTracker);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// Makes the builder of connections. The library ends those that send settings, pings or continuations without end.
pub(super) fn builder(tasks: &TaskTracker) -> Builder<Tasks> {
    let mut http = Builder::new(Tasks(tasks.clone()));
    http.max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(HEAD_LIST_BYTES)
        .max_pending_accept_reset_streams(TAKEN_BACK)
        .max_local_error_reset_streams(ENDED_HERE);
    http
}

/// Serves one connection to its end.
pub(super) async fn drive(
    stream: Stream,
    progress: &Arc<Progress>,
    requests: Requests,
    http: Builder<Tasks>,
) {
    progress.speak_http2();
    let frames = Frames {
        stream,
        progress: Arc::clone(progress),
        heads: Heads::default(),
        is_head_arriving: false,
    };
    let connection = http.serve_connection(TokioIo::new(frames), requests);
    let mut connection = std::pin::pin!(connection);
    let mut tick = tokio::time::interval(TICK);
    let mut known = None;
    let mut told: Option<Instant> = None;
    loop {
        let ending = tokio::select! {
            // The client is told, and its next request is seen, before the time is looked at.
            biased;
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(target: "ampoule::server", %error, "a connection of HTTP/2 ended");
                }
                return;
            }
            ending = progress.ended(known) => ending,
            _ = tick.tick(), if told.is_some() => {
                let is_told = told.is_some_and(|told| told.elapsed() >= FAREWELL);
                // The last answer has as much time for its way.
                if is_told && progress.is_without_request() && progress.age() >= FAREWELL {
                    return;
                }
                continue;
            }
        };
        match ending {
            Ending::Quiet => {
                known = Some(ending);
                told = Some(Instant::now());
                tick.reset();
                connection.as_mut().graceful_shutdown();
            }
            // A request has come in the meantime.
            Ending::HeadTime if progress.phase() != Phase::Head => progress.go_on(ending),
            Ending::Draining | Ending::HeadTime | Ending::Abrupt => return,
        }
    }
}

/// The frames of a connection.
struct Frames {
    stream: Stream,
    progress: Arc<Progress>,
    heads: Heads,
    is_head_arriving: bool,
}

impl AsyncRead for Frames {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        let is_arriving = self.heads.read(read);
        if is_arriving != self.is_head_arriving {
            self.is_head_arriving = is_arriving;
            self.progress
                .of_streams(|streams| streams.head(is_arriving));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Frames {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.progress.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.progress.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.progress.noted_flush(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
