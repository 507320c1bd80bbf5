//! The address of a collector of traces.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::Scheme;

/// Path of traces below a collector's address, by OpenTelemetry's protocol (OTLP 1.0, "OTLP/HTTP Request").
const TRACES_PATH: &str = "/v1/traces";

/// The address of a collector that takes traces by OpenTelemetry's protocol over plain HTTP, such as
/// `http://127.0.0.1:4318`. Traces go to the path `/v1/traces` below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// The address of its traces.
    endpoint: String,
}

/// Refusal of a collector's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectorError {
    /// The address has another scheme than `http`.
    #[error(
        "a collector's address begins with http://; traces are not encrypted on their way, so the collector runs beside \
         the server and passes them on by TLS"
    )]
    Scheme,
    /// The address is none, or has more than a host, a port and a path.
    #[error(
        "a collector's address is like http://127.0.0.1:4318, without a user, a query or a fragment"
    )]
    Form,
}

impl Collector {
    /// Returns the address that traces are posted to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl FromStr for Collector {
    type Err = CollectorError;

    fn from_str(text: &str) -> Result<Self, CollectorError> {
        let address: Uri = text.parse().map_err(|_| CollectorError::Form)?;
        match address.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(_) => return Err(CollectorError::Scheme),
            None => return Err(CollectorError::Form),
        }
        let has_user = address
            .authority()
            .is_none_or(|authority| authority.as_str().contains('@'));
        if has_user || address.query().is_some() || text.contains('#') {
            return Err(CollectorError::Form);
        }
        let address = text.trim_end_matches('/');
        let base = address.strip_suffix(TRACES_PATH).unwrap_or(address);
        Ok(Self {
            endpoint: format!("{base}{TRACES_PATH}"),
        })
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_to_their_path_below_a_collectors_plain_address() {
        for (address, endpoint) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://collector/", "http://collector/v1/traces"),
            ("http://[::1]:1/otlp", "http://[::1]:1/otlp/v1/traces"),
            ("http://host:1/v1/traces", "http://host:1/v1/traces"),
        ] {
            let collector: Result<Collector, _> = address.parse();
            assert_eq!(
                collector.map(|collector| collector.to_string()),
                Ok(endpoint.to_owned())
            );
        }
    }

    #[test]
    fn an_address_with_a_secret_or_for_tls_is_refused() {
        for (address, expected) in [
            ("https://collector:4318", CollectorError::Scheme),
            ("grpc://collector:4317", CollectorError::Scheme),
            ("collector:4318", CollectorError::Form),
            ("http://user:secret@collector", CollectorError::Form),
            ("http://collector?key=secret", CollectorError::Form),
            ("http://collector/#fragment", CollectorError::Form),
            ("http://", CollectorError::Form),
            ("", CollectorError::Form),
        ] {
            assert_eq!(address.parse::<Collector>(), Err(expected), "{address}");
        }
    }
}
