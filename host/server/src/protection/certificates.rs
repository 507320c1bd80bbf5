//! Callers who are known by the certificate of their connection.

use std::collections::HashMap;

use ampoule::Timestamp;
use ampoule_access::KeyName;
use axum::http::Extensions;

use crate::tls::{Secured, Subject};

/// Keys that stand for those who hold a certificate.
#[derive(Debug, Default)]
pub(crate) struct Certificates(HashMap<Subject, KeyName>);

impl Certificates {
    pub(crate) fn new(certificates: impl IntoIterator<Item = (Subject, KeyName)>) -> Self {
        Self(certificates.into_iter().collect())
    }

    /// Returns the key that stands for a connection's certificate, if the certificate's time is not over.
    pub(crate) fn key(&self, connection: &Extensions) -> Option<KeyName> {
        let subject = connection.get::<Secured>()?.subject(Timestamp::now())?;
        self.0.get(subject).copied()
    }
}
