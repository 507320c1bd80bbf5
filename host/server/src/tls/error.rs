//! Errors of a server's certificate and key.

/// Refusal of what TLS is to be served with. Nothing in a message comes from the key.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// `tls.certificate`: there is no certificate in the text, or one cannot be read.
    #[error(
        "the certificate cannot be read: {0}; expected certificates in PEM, the server's own first and then those that \
         lead to its issuer"
    )]
    Certificate(String),
    /// `tls.key`: there is no key in the text, or one that cannot be used.
    #[error(
        "the private key cannot be used: {0}; expected one key in PEM without a password: RSA of at least 2048 bits, \
         ECDSA on P-256 or P-384, or Ed25519"
    )]
    Key(String),
    /// `tls.key-mismatch`: the certificate is for another key.
    #[error("the certificate is not for this private key; hand over the two that belong together")]
    KeyMismatch,
    /// `tls.expired`: the certificate is not valid now.
    #[error("the certificate is not valid now, but from {from} until {until}; have a new one made")]
    Expired {
        /// Beginning of its time.
        from: String,
        /// End of its time.
        until: String,
    },
    /// `tls.client-ca`: the certificates of those who vouch for clients cannot be used.
    #[error(
        "the certificates of the clients' issuers cannot be used: {0}; expected at least one in PEM"
    )]
    ClientCa(String),
    /// `internal.bug`: the library of TLS refuses its own settings.
    #[error("TLS cannot be set up: {0}")]
    Internal(String),
}

impl TlsError {
    /// Returns the error's stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "tls.certificate",
            Self::Key(_) => "tls.key",
            Self::KeyMismatch => "tls.key-mismatch",
            Self::Expired { .. } => "tls.expired",
            Self::ClientCa(_) => "tls.client-ca",
            Self::Internal(_) => "internal.bug",
        }
    }
}
