//! A client that writes and reads bytes, for requests that no client's library sends.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// Longest time to wait for a byte.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a server.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    /// Bytes that were read and belong to the next answer.
    ahead: Vec<u8>,
}

/// An answer, as it came.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// The lines of the head, in lower case.
    pub head: String,
    /// The body, without the frames of chunks.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// Reads the body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.body.escape_ascii()))
    }
}

impl RawClient {
    /// Connects.
    ///
    /// # Errors
    ///
    /// The server does not listen.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::of(TcpStream::connect(address)?)
    }

    /// Connects, and lets the system take about so many bytes for this end before they are read. By default it takes
    /// megabytes.
    ///
    /// # Errors
    ///
    /// The server does not listen.
    pub fn connect_taking(address: SocketAddr, bytes: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_recv_buffer_size(bytes)?;
        socket.connect(&address.into())?;
        Self::of(socket.into())
    }

    fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            ahead: Vec::new(),
        })
    }

    /// Returns the address of this end.
    ///
    /// # Panics
    ///
    /// If the system does not say it.
    #[must_use]
    pub fn own_address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends the head of a POST of JSON, with a length that the body has or with more header lines.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn begin_post(&mut self, path: &str, length: usize, more: &str) -> io::Result<()> {
        self.send(format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n"
        ))
    }

    /// Posts JSON, and reads the answer.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn post(&mut self, path: &str, body: &Value) -> io::Result<RawAnswer> {
        let body = body.to_string();
        self.begin_post(path, body.len(), "")?;
        self.send(&body)?;
        self.answer()
    }

    /// Gets a path, and reads the answer.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn get(&mut self, path: &str) -> io::Result<RawAnswer> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))?;
        self.answer()
    }

    /// Reads an answer. One with status 1xx has no body.
    ///
    /// # Errors
    ///
    /// The connection ends within the answer, or is broken.
    pub fn answer(&mut self) -> io::Result<RawAnswer> {
        let head = self.until(b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let status: u16 = status.ok_or_else(|| io::Error::other(head.clone()))?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = Vec::new();
        if let Some(length) = length {
            body = self.exactly(length.parse().map_err(io::Error::other)?)?;
        } else if head.contains("transfer-encoding: chunked") {
            loop {
                let length = self.until(b"\r\n")?;
                let length = String::from_utf8_lossy(&length);
                let length = usize::from_str_radix(length.trim(), 16).map_err(io::Error::other)?;
                let piece = self.exactly(length + 2)?;
                if length == 0 {
                    break;
                }
                body.extend_from_slice(&piece[..length]);
            }
        }
        Ok(RawAnswer { status, head, body })
    }

    /// Waits for bytes of the answer, which stay to be read. Returns false when none come in this time.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub fn has_bytes_within(&mut self, time: Duration) -> io::Result<bool> {
        self.stream.set_read_timeout(Some(time))?;
        let read = self.more();
        self.stream.set_read_timeout(Some(PATIENCE))?;
        match read {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes so many bytes of the answer or a few more, which stay to be read.
    ///
    /// # Errors
    ///
    /// The connection ends before, or is broken.
    pub fn take(&mut self, bytes: usize) -> io::Result<()> {
        let most = self.ahead.len() + bytes;
        while self.ahead.len() < most {
            self.more()?;
        }
        Ok(())
    }

    /// Reads to the end, and returns the number of bytes and the time.
    ///
    /// # Errors
    ///
    /// The connection is broken and does not end.
    pub fn to_end(&mut self) -> io::Result<(usize, Duration)> {
        let begun = Instant::now();
        let mut rest = Vec::new();
        let bytes = self.stream.read_to_end(&mut rest)?;
        Ok((self.ahead.len() + bytes, begun.elapsed()))
    }

    /// Ends the connection as a program does that is killed: what was not read yet breaks it.
    pub fn vanish(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            let found = self.ahead.windows(mark.len()).position(|part| part == mark);
            if let Some(found) = found {
                return self.exactly(found + mark.len());
            }
            self.more()?;
        }
    }

    fn exactly(&mut self, bytes: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < bytes {
            self.more()?;
        }
        Ok(self.ahead.drain(..bytes).collect())
    }

    fn more(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 << 10];
        let read = self.stream.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.ahead.extend_from_slice(&piece[..read]);
        Ok(())
    }
}
