//! Facts of a connection that is encrypted here, as an extension of its requests.

use std::sync::Arc;

use rustls::{ProtocolVersion, ServerConnection};

use crate::tls::subject::Subject;

/// TLS of a request's connection. A request without this extension came in the clear.
#[derive(Clone, Debug)]
pub(crate) struct Secured {
    /// Version of TLS: `1.2` or `1.3`.
    pub(crate) version: &'static str,
    /// Subject of the client's certificate, which was checked.
    pub(crate) subject: Option<Arc<Subject>>,
}

impl Secured {
    /// Returns the facts of a connection whose handshake is over.
    pub(crate) fn of(connection: &ServerConnection) -> Self {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "1.3",
        };
        let certificate = connection.peer_certificates().and_then(<[_]>::first);
        Self {
            version,
            subject: certificate.and_then(|certificate| Subject::of(certificate).map(Arc::new)),
        }
    }
}
