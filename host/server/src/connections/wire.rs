//! A connection's socket: it notes the connection's progress, gives hyper's own refusals the form of the family, and
//! closes so that the last answer arrives.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;

use crate::connections::bare::Refuser;
use crate::connections::phase::Phase;
use crate::connections::progress::Progress;
use crate::connections::settings::LINGER_BYTES;
use crate::connections::stream::Stream;
use crate::error::ApiError;

/// Bytes that are thrown away at once.
const THROWN_AWAY: usize = 8 << 10;

/// The socket of one connection.
#[derive(Debug)]
pub(super) struct Wire {
    io: TokioIo<Stream>,
    progress: Arc<Progress>,
    refuser: Refuser,
    closing: Closing,
}

#[derive(Debug)]
enum Closing {
    /// Requests are answered.
    Open,
    /// This is said before the end.
    Say { answer: Vec<u8>, said: usize },
    /// The end is said next.
    End,
    /// The rest of the input is thrown away, with these bytes of it so far.
    Linger { bytes: usize },
}

impl Wire {
    pub(super) fn new(stream: Stream, progress: Arc<Progress>, refuser: Refuser) -> Self {
        Self {
            io: TokioIo::new(stream),
            progress,
            refuser,
            closing: Closing::Open,
        }
    }

    /// Says an error at the end, which comes next.
    pub(super) fn refuse(&mut self, error: &ApiError) {
        let answer = self.refuser.refuse(&self.progress, error);
        self.closing = Closing::Say { answer, said: 0 };
    }

    /// Says what is to be said, and ends the connection.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_shutdown(cx)).await
    }

    /// Takes the place of hyper's own refusal of a request that it cannot read: it has neither a body nor an id.
    fn refuse_instead(&mut self, written: &[u8]) {
        if matches!(self.closing, Closing::Open) {
            let error = match written.get(9..12) {
                Some(b"414") => ApiError::address_too_long(),
                Some(b"431") => ApiError::head_too_large(),
                _ => ApiError::not_http(),
            };
            self.refuse(&error);
            self.progress.leave_unread();
        }
    }

    fn poll_say(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Closing::Say { answer, said } = &mut self.closing {
            let rest = answer.get(*said..).unwrap_or_default();
            if rest.is_empty() {
                self.closing = Closing::End;
                break;
            }
            let bytes = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *said += bytes;
        }
        Poll::Ready(Ok(()))
    }

    /// Throws input away until the client ends it, within a bound. The sweep bounds the time.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut thrown_away = [0; THROWN_AWAY];
        while let Closing::Linger { bytes } = &mut self.closing {
            if *bytes >= LINGER_BYTES {
                break;
            }
            // Nobody needs to decrypt what nobody reads.
            let stream = self.io.inner().socket();
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_read(&mut thrown_away) {
                Ok(0) => break,
                Ok(read) => *bytes += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.progress.reads();
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.progress.is_owed() {
            self.refuse_instead(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.progress.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.progress.is_owed() {
            self.refuse_instead(pieces.first().map_or(&[], |piece| piece));
            return Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()));
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        self.progress.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.progress.noted_flush(flushed)
    }

    /// Ends the connection. The system tells a client that still sends of a broken connection, which then loses the
    /// answer, so the rest of an unread request is thrown away first.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.closing, Closing::Open) {
            self.closing = Closing::End;
        }
        ready!(self.poll_say(cx))?;
        if matches!(self.closing, Closing::End) {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            if !self.progress.is_unread() {
                return Poll::Ready(Ok(()));
            }
            self.progress.enter(Phase::Linger);
            self.closing = Closing::Linger { bytes: 0 };
        }
        self.poll_linger(cx)
    }
}
