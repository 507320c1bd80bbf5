//! Serves signed models over HTTP, by the routes of clients that people already have.
//!
//! A [`Service`] is a [`Host`](ampoule::Host) with named [`Models`]. [`router`] makes its routes, which a program serves
//! itself, or mounts in its own: those of OpenAI, Ollama, the Open Inference Protocol and text-embeddings-inference, and
//! Ampoule's own, over one typed core.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod connections;
mod core;
mod cors_origin;
mod error;
mod families;
mod guest_codes;
mod host_name;
mod host_names;
mod http;
mod inferences;
mod metrics;
mod models;
mod outermost;
mod page;
mod protection;
mod request;
mod router;
mod said;
mod service;
mod settings;
mod tls;
mod traces;

pub use connections::settings::ConnectionSettings;
pub use connections::{serve, serve_tls};
pub use cors_origin::CorsOrigin;
pub use host_name::{HostName, HostNameError};
pub use host_names::HostNames;
pub use metrics::Metrics;
pub use models::{ModelSlot, Models, NameError, Readiness};
pub use protection::{Protection, Recorded};
pub use router::{guarded_routes, router};
pub use service::Service;
pub use settings::ServiceSettings;
pub use tls::{
    ClientCertificates, MinTlsVersion, Subject, Tls, TlsError, TlsIdentity, TlsSettings,
};
pub use traces::{Collector, CollectorError};
#[cfg(feature = "otel")]
pub use traces::{Traces, TracesError};
