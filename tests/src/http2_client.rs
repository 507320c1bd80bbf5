//! Frames of HTTP/2 (RFC 9113) over TLS, as a test chooses them.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;

use crate::tls_client::{TlsClient, TlsStream};

/// Kinds of frames.
pub const DATA: u8 = 0;
/// The beginning of a head, or trailers.
pub const HEADERS: u8 = 1;
/// The end of a stream before its time.
pub const RST_STREAM: u8 = 3;
/// Settings, or their acknowledgement.
pub const SETTINGS: u8 = 4;
/// A question whether the other end is there.
pub const PING: u8 = 6;
/// The end of the connection, after some streams.
pub const GOAWAY: u8 = 7;
/// More room for data.
pub const WINDOW_UPDATE: u8 = 8;
/// The rest of a head.
pub const CONTINUATION: u8 = 9;

/// Flag of a stream's last frame, and of an acknowledgement.
pub const END_STREAM: u8 = 1;
/// Flag of a head's last frame.
pub const END_HEADERS: u8 = 4;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The kind.
    pub kind: u8,
    /// The flags.
    pub flags: u8,
    /// The stream; 0 for the connection.
    pub stream: u32,
    /// The payload.
    pub payload: Vec<u8>,
}

/// A connection by HTTP/2.
#[derive(Debug)]
pub struct Http2Client {
    stream: TlsStream,
}

impl Http2Client {
    /// Connects, and sends the preface and settings: pairs of a number and a value.
    ///
    /// # Errors
    ///
    /// The server does not listen, or does not speak HTTP/2.
    pub fn connect(
        client: &TlsClient,
        address: SocketAddr,
        settings: &[(u16, u32)],
    ) -> io::Result<Self> {
        let stream = client.connect(address)?;
        if stream.protocol().as_deref() != Some("h2") {
            return Err(io::Error::other("no HTTP/2"));
        }
        let mut connected = Self { stream };
        connected
            .stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        let mut payload = Vec::new();
        for (number, value) in settings {
            payload.extend_from_slice(&number.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        connected.send(SETTINGS, 0, 0, &payload)?;
        Ok(connected)
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame(kind, flags, stream, payload))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads the next frame.
    ///
    /// # Errors
    ///
    /// The connection is over.
    #[allow(
        clippy::should_implement_trait,
        reason = "it is no iterator: an error is not its end"
    )]
    pub fn next(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload)?;
        Ok(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
            payload,
        })
    }

    /// Reads frames until one of this kind on this stream, which is returned.
    ///
    /// # Errors
    ///
    /// The connection is over before.
    pub fn until(&mut self, kind: u8, stream: u32) -> io::Result<Frame> {
        self.until_any(kind, &[stream])
    }

    /// Reads frames until one of this kind on one of these streams, which is returned.
    ///
    /// # Errors
    ///
    /// The connection is over before.
    pub fn until_any(&mut self, kind: u8, streams: &[u32]) -> io::Result<Frame> {
        loop {
            let frame = self.next()?;
            if frame.kind == kind && streams.contains(&frame.stream) {
                return Ok(frame);
            }
        }
    }

    /// Reads all frames to the end of the connection.
    #[must_use]
    pub fn to_end(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next().ok()).collect()
    }

    /// Returns the connection beneath.
    #[must_use]
    pub fn stream(&self) -> &TlsStream {
        &self.stream
    }
}

/// Makes a frame.
///
/// # Panics
///
/// If it is too long.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Writes the fields of a head as literals (RFC 7541, section 6.2.2), each of up to 126 bytes.
///
/// # Panics
///
/// If a name or a value is longer.
#[must_use]
pub fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "{text}");
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// Writes the head of a request by this method for this path, with more fields.
#[must_use]
pub fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let own = [
        (":method", method),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
    ];
    fields(&[&own, more].concat())
}

/// Tells whether a head is that of an answer with status 200: the first field stands in the static table.
#[must_use]
pub fn is_200(head: &Frame) -> bool {
    head.kind == HEADERS && head.payload.first() == Some(&0x88)
}
