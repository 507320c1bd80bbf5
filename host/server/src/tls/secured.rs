//! Facts of a connection that is encrypted here, as an extension of its requests.

use std::sync::Arc;

use ampoule::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::{ProtocolVersion, ServerConnection};

use crate::tls::identity::end_of;
use crate::tls::subject::Subject;

/// TLS of a request's connection. A request without this extension came in the clear.
#[derive(Clone, Debug)]
pub(crate) struct Secured {
    /// Version of TLS: `1.2` or `1.3`.
    pub(crate) version: &'static str,
    /// The client's certificate, which was checked in the handshake.
    holder: Option<Arc<Holder>>,
}

/// The part of a client's certificate that a request is let in by.
#[derive(Debug)]
struct Holder {
    subject: Subject,
    until: Timestamp,
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
            holder: certificate.and_then(Holder::of).map(Arc::new),
        }
    }

    /// Returns the subject of the client's certificate, until the certificate's time ends. A connection may last longer.
    pub(crate) fn subject(&self, now: Timestamp) -> Option<&Subject> {
        let holder = self.holder.as_deref()?;
        (now <= holder.until).then_some(&holder.subject)
    }
}

impl Holder {
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        Some(Self {
            subject: Subject::of(certificate)?,
            until: end_of(certificate)?,
        })
    }
}
