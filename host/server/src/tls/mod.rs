//! TLS of a server: its certificate, which can be replaced while it serves, and the certificates of its clients.

mod config;
mod error;
mod identity;
mod secured;
mod subject;

pub(crate) use config::HTTP2;
pub use config::{ClientCertificates, MinTlsVersion, Tls, TlsSettings};
pub use error::TlsError;
pub use identity::TlsIdentity;
pub(crate) use secured::Secured;
pub use subject::Subject;
