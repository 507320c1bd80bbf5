//! Settings of TLS, and the certificate that is served now.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::tls::error::TlsError;
use crate::tls::identity::{TlsIdentity, read_chain};

/// Names of the protocols that a client chooses from (RFC 7301).
pub(crate) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinTlsVersion {
    /// TLS 1.2, with suites that have forward secrecy and authenticated encryption.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl FromStr for MinTlsVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            _ => {
                let found = ampoule::harmless_text(text);
                Err(format!("1.2 or 1.3 is expected, found `{found}`"))
            }
        }
    }
}

/// Issuers of clients' certificates.
#[derive(Clone, Debug)]
pub struct ClientCertificates {
    roots: Arc<RootCertStore>,
    is_required: bool,
}

impl ClientCertificates {
    /// Reads the issuers' certificates from a text in PEM. Where certificates are required, a client without one is
    /// refused in the handshake.
    ///
    /// # Errors
    ///
    /// [`TlsError::ClientCa`].
    pub fn from_pem(issuers: &str, is_required: bool) -> Result<Self, TlsError> {
        let issuers = read_chain(issuers).map_err(TlsError::ClientCa)?;
        let mut roots = RootCertStore::empty();
        for issuer in issuers {
            let added = roots.add(issuer);
            added.map_err(|error| TlsError::ClientCa(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(TlsError::ClientCa("there is none in it".to_owned()));
        }
        Ok(Self {
            roots: Arc::new(roots),
            is_required,
        })
    }
}

/// Settings of [`Tls`].
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// The oldest version that is spoken; TLS 1.2 by default.
    pub min_version: MinTlsVersion,
    /// Clients' certificates; by default none is asked for.
    pub clients: Option<ClientCertificates>,
}

/// TLS of a server. Clones are the same one.
#[derive(Clone)]
pub struct Tls {
    current: Arc<Current>,
    pub(crate) server: Arc<ServerConfig>,
    /// As `server`, for clients that are only told of a refusal.
    pub(crate) refusals: Arc<ServerConfig>,
}

impl Tls {
    /// Serves this certificate.
    ///
    /// # Errors
    ///
    /// [`TlsError::Internal`].
    pub fn new(identity: TlsIdentity, settings: TlsSettings) -> Result<Self, TlsError> {
        let current = Arc::new(Current(RwLock::new(identity.key)));
        let server = config(Arc::clone(&current), settings)
            .map_err(|error| TlsError::Internal(error.to_string()))?;
        let mut refusals = server.clone();
        refusals.alpn_protocols = vec![HTTP1.to_vec()];
        Ok(Self {
            current,
            server: Arc::new(server),
            refusals: Arc::new(refusals),
        })
    }

    /// Serves another certificate to clients that connect from now on. Open connections go on.
    pub fn replace(&self, identity: TlsIdentity) {
        let mut current = self.current.0.write();
        *current
            .as_deref_mut()
            .unwrap_or_else(|poisoned| poisoned.get_mut()) = identity.key;
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn config(
    current: Arc<Current>,
    settings: TlsSettings,
) -> Result<ServerConfig, Box<dyn std::error::Error>> {
    let provider: Arc<CryptoProvider> = Arc::new(default_provider());
    let versions: &[&SupportedProtocolVersion] = match settings.min_version {
        MinTlsVersion::Tls12 => &[&TLS13, &TLS12],
        MinTlsVersion::Tls13 => &[&TLS13],
    };
    let are_clients_certified = settings.clients.is_some();
    let verifier = match settings.clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(clients) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(clients.roots, Arc::clone(&provider));
            if clients.is_required {
                verifier.build()?
            } else {
                verifier.allow_unauthenticated().build()?
            }
        }
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(current);
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    if are_clients_certified {
        // A session that is resumed brings the client's certificate along, and nobody looks at its time and issuer again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        // A client's next connections need no signature, and no memory here.
        config.ticketer = Ticketer::new()?;
    }
    // Without it a session of TLS 1.2 can be bound to another's keys (RFC 7627).
    config.require_ems = true;
    // Whoever records early data can send it again.
    config.max_early_data_size = 0;
    Ok(config)
}

/// The certificate that is served now.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}
