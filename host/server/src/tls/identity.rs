//! A server's certificate and its private key.

use std::sync::Arc;

use ampoule::Timestamp;
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;

use crate::tls::error::TlsError;

/// The most certificates that a client is sent. Chains have two or three.
const MAX_CHAIN: usize = 16;

/// A certificate, those that lead to its issuer, and its private key.
#[derive(Clone, Debug)]
pub struct TlsIdentity {
    pub(super) key: Arc<CertifiedKey>,
    until: Timestamp,
}

impl TlsIdentity {
    /// Reads the certificates and the key, each from a text in PEM.
    ///
    /// # Errors
    ///
    /// [`TlsError::Certificate`], [`TlsError::Key`], [`TlsError::KeyMismatch`], and [`TlsError::Expired`] where the
    /// server's own certificate is not valid at `now`.
    pub fn from_pem(certificates: &str, key: &str, now: Timestamp) -> Result<Self, TlsError> {
        let chain = read_chain(certificates).map_err(TlsError::Certificate)?;
        let own = chain
            .first()
            .ok_or_else(|| TlsError::Certificate("there is none in it".to_owned()))?;
        let until = check_time(own, now)?;
        let key = read_key(key)?;
        let key = CertifiedKey::from_der(chain, key, &default_provider());
        let key = key.map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::KeyMismatch,
            Error::InvalidCertificate(_) => TlsError::Certificate(error.to_string()),
            // Its words might be about the key's bytes.
            _ => TlsError::Key("the certificate and the key do not fit".to_owned()),
        })?;
        Ok(Self {
            key: Arc::new(key),
            until,
        })
    }

    /// Returns the end of the certificate's time.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.until
    }
}

/// Reads certificates, each of which is one as RFC 5280 has them.
pub(super) fn read_chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut chain = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| fault(&error).to_owned())?;
        if chain.len() == MAX_CHAIN {
            return Err(format!("there are more than {MAX_CHAIN} in it"));
        }
        if Certificate::from_der(&certificate).is_err() {
            let place = chain.len() + 1;
            return Err(format!("number {place} in it is none of X.509"));
        }
        chain.push(certificate);
    }
    Ok(chain)
}

/// Reads the only key. A file with several is a mistake that nobody should have to guess about.
fn read_key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    let refused = |why: &str| TlsError::Key(why.to_owned());
    let mut keys = PrivateKeyDer::pem_slice_iter(pem.as_bytes());
    let key = match keys.next() {
        Some(key) => key.map_err(|error| refused(fault(&error)))?,
        None if pem.contains("ENCRYPTED") => return Err(refused("it has a password")),
        None => return Err(refused("there is no private key in it")),
    };
    if pem.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(refused("it has a password"));
    }
    if keys.next().is_some() {
        return Err(refused("there is more than one in it"));
    }
    any_supported_type(&key)
        .map_err(|_| refused("it is damaged, or of a kind that is not known here"))?;
    Ok(key)
}

/// Describes a fault without the bytes that it is about.
fn fault(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end",
        pem::Error::IllegalSectionStart { .. } => "a section has no proper beginning",
        pem::Error::Base64Decode(_) => "a section is not in base64",
        _ => "it is not in PEM",
    }
}

/// Refuses a certificate outside its time. Returns the end of the time.
fn check_time(certificate: &CertificateDer<'_>, now: Timestamp) -> Result<Timestamp, TlsError> {
    let certificate = Certificate::from_der(certificate)
        .map_err(|_| TlsError::Certificate("it is none of X.509".to_owned()))?;
    let validity = certificate.tbs_certificate().validity();
    let (from, until) = (at(&validity.not_before), at(&validity.not_after));
    if from <= now && now <= until {
        return Ok(until);
    }
    Err(TlsError::Expired {
        from: from.to_string(),
        until: until.to_string(),
    })
}

/// Returns the end of a certificate's time; `None` for one that cannot be read.
pub(super) fn end_of(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(at(&certificate.tbs_certificate().validity().not_after))
}

fn at(time: &Time) -> Timestamp {
    let seconds = time.to_unix_duration().as_secs();
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
