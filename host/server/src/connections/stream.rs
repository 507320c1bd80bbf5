//! Bytes of one connection: its socket, or TLS over it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::connections::bare;
use crate::connections::progress::Progress;
use crate::tls::{HTTP2, Secured};

/// Bytes of a first request that its family is learned from.
const FIRST_BYTES: usize = 128;

/// A connection's socket, or TLS over it.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<Encrypted>),
}

/// A connection whose handshake is over.
#[derive(Debug)]
pub(super) struct Encrypted {
    stream: TlsStream<TcpStream>,
    /// Bytes that were read to learn a family, and that are to be read first.
    ahead: Bytes,
}

impl Stream {
    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(Encrypted {
            stream,
            ahead: Bytes::new(),
        }))
    }

    /// Returns the socket itself, whose bytes are records of TLS where there is TLS.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(encrypted) => encrypted.stream.get_ref().0,
        }
    }

    /// Returns the facts of the connection's TLS.
    pub(super) fn secured(&self) -> Option<Secured> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(encrypted) => Some(Secured::of(encrypted.stream.get_ref().1)),
        }
    }

    /// Tells whether the client has chosen HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(encrypted) => encrypted.stream.get_ref().1.alpn_protocol() == Some(HTTP2),
        }
    }

    /// Waits for the first bytes, which stay to be read, and notes the family that they ask. Returns false when there are
    /// none.
    pub(super) async fn learn_family(&mut self, progress: &Progress) -> bool {
        let mut head = [0; FIRST_BYTES];
        let read = match self {
            Self::Plain(stream) => stream.peek(&mut head).await,
            Self::Tls(encrypted) => encrypted.stream.read(&mut head).await,
        };
        let bytes = read.ok().and_then(|bytes| head.get(..bytes));
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
            return false;
        };
        progress.set_family(bare::family_of(bytes));
        if let Self::Tls(encrypted) = self {
            encrypted.ahead = Bytes::copy_from_slice(bytes);
        }
        true
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(encrypted) if encrypted.ahead.is_empty() => {
                Pin::new(&mut encrypted.stream).poll_read(cx, buffer)
            }
            Self::Tls(encrypted) => {
                let bytes = encrypted.ahead.len().min(buffer.remaining());
                buffer.put_slice(&encrypted.ahead.split_to(bytes));
                if encrypted.ahead.is_empty() {
                    encrypted.ahead = Bytes::new();
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(encrypted) => Pin::new(&mut encrypted.stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Tls(encrypted) => Pin::new(&mut encrypted.stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(encrypted) => encrypted.stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(encrypted) => Pin::new(&mut encrypted.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(encrypted) => Pin::new(&mut encrypted.stream).poll_shutdown(cx),
        }
    }
}
