//! A client that speaks TLS in a way that a test chooses, and bytes within it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use crate::authority::Issued;

/// Longest time to wait for a byte.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way in which a client speaks TLS.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
}

/// An answer by HTTP/1.1: its status, its head in lower case, and its body.
#[derive(Clone, Debug)]
pub struct TlsAnswer {
    /// The status.
    pub status: u16,
    /// The lines of the head, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// A connection by TLS.
#[derive(Debug)]
pub struct TlsStream {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsClient {
    /// Makes a client that trusts this issuer and offers these protocols.
    ///
    /// # Panics
    ///
    /// If the issuer's file cannot be read.
    #[must_use]
    pub fn new(issuer: &Path, protocols: &[&str]) -> Self {
        Self::with(issuer, protocols, rustls::DEFAULT_VERSIONS, None)
    }

    /// As [`TlsClient::new`], for one version of TLS.
    ///
    /// # Panics
    ///
    /// As [`TlsClient::new`].
    #[must_use]
    pub fn of_version(
        issuer: &Path,
        protocols: &[&str],
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        Self::with(issuer, protocols, &[version], None)
    }

    /// As [`TlsClient::new`], with a certificate of its own.
    ///
    /// # Panics
    ///
    /// If a file cannot be read.
    #[must_use]
    pub fn certified(issuer: &Path, protocols: &[&str], own: &Issued) -> Self {
        Self::with(issuer, protocols, rustls::DEFAULT_VERSIONS, Some(own))
    }

    /// As [`TlsClient::certified`], for one version of TLS.
    ///
    /// # Panics
    ///
    /// If a file cannot be read.
    #[must_use]
    pub fn certified_of_version(
        issuer: &Path,
        own: &Issued,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        Self::with(issuer, &[], &[version], Some(own))
    }

    fn with(
        issuer: &Path,
        protocols: &[&str],
        versions: &[&'static SupportedProtocolVersion],
        own: Option<&Issued>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(issuer).unwrap())
            .unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let certificate = CertificateDer::from_pem_file(&own.certificate).unwrap();
                let key = PrivateKeyDer::from_pem_file(&own.key).unwrap();
                builder
                    .with_client_auth_cert(vec![certificate], key)
                    .unwrap()
            }
        };
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Self {
            config: Arc::new(config),
        }
    }

    /// Connects and shakes hands.
    ///
    /// # Errors
    ///
    /// The server does not listen, or one of both refuses the other.
    pub fn connect(&self, address: SocketAddr) -> io::Result<TlsStream> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut connection =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(TlsStream {
            stream: StreamOwned::new(connection, socket),
        })
    }

    /// Asks for a path on a connection of its own, by HTTP/1.1.
    ///
    /// # Errors
    ///
    /// There is no whole answer.
    pub fn get(&self, address: SocketAddr, path: &str, lines: &str) -> io::Result<TlsAnswer> {
        self.connect(address)?.get(path, lines)
    }
}

impl TlsStream {
    /// Returns the protocol that was agreed on.
    #[must_use]
    pub fn protocol(&self) -> Option<String> {
        let name = self.stream.conn.alpn_protocol()?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Returns the version of TLS.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.stream.conn.protocol_version()
    }

    /// Tells whether the handshake has gone on with an earlier session.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Returns the server's own certificate.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn certificate(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().unwrap()[0].to_vec()
    }

    /// Returns the socket beneath.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Asks for a path by HTTP/1.1.
    ///
    /// # Errors
    ///
    /// There is no whole answer.
    pub fn get(&mut self, path: &str, lines: &str) -> io::Result<TlsAnswer> {
        self.ask("GET", path, lines, "")
    }

    /// Asks by HTTP/1.1, and reads an answer whose length is announced.
    ///
    /// # Errors
    ///
    /// There is no whole answer.
    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        lines: &str,
        body: &str,
    ) -> io::Result<TlsAnswer> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: \
             {length}\r\n{lines}\r\n{body}"
        );
        self.write_all(request.as_bytes())?;
        self.answer()
    }

    /// Reads an answer by HTTP/1.1 whose length is announced.
    ///
    /// # Errors
    ///
    /// There is no whole answer.
    pub fn answer(&mut self) -> io::Result<TlsAnswer> {
        let mut answer = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let head = head.to_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
                if body.len() >= length {
                    let status = head.get(9..12).and_then(|status| status.parse().ok());
                    return Ok(TlsAnswer {
                        status: status.ok_or_else(|| io::Error::other(head.clone()))?,
                        head,
                        body: body.to_owned(),
                    });
                }
            }
            let mut piece = [0; 16 << 10];
            let read = self.read(&mut piece)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&piece[..read]);
        }
    }
}

impl Read for TlsStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.read(bytes)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
