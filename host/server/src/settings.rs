//! Settings of the server, each with its unit and the reason for its default.

use std::time::Duration;

use ampoule::ByteSize;

use crate::connections::settings::ConnectionSettings;
use crate::cors_origin::CorsOrigin;
use crate::host_names::HostNames;

/// Bytes of one request's body. Sixteen photos of 8 MiB in base64 are 171 MiB; one of 16 MiB is 22 MiB. The host holds
/// each body whole, so the default allows a few photos and not the most that [`Limits`](ampoule::Limits) do.
const DEFAULT_BODY: ByteSize = ByteSize::from_mib(32);

/// Bytes of all bodies that are being read or answered. As many connections as there can be would hold a thousand times
/// the largest body otherwise.
const DEFAULT_BODIES: ByteSize = ByteSize::from_mib(256);

/// Longest time for a body to arrive. A photo on a slow line takes half a minute.
const DEFAULT_BODY_TIME: Duration = Duration::from_secs(60);

/// Texts of one request, over all sandboxes that they are spread over. LangChain sends 1,000 at once, and OpenAI's own
/// API takes 2,048.
const DEFAULT_TEXTS: usize = 2_048;

/// Choices of one request for a generation: prompts times `n`. Each is a sandbox.
const DEFAULT_CHOICES: usize = 16;

/// Silence of a stream after which an empty piece is sent. Proxies give up after 60 s, some after 30.
const DEFAULT_SILENCE: Duration = Duration::from_secs(10);

/// Settings of a [`Service`](crate::Service).
///
/// Later versions may have more fields: write the rest as `..ServiceSettings::default()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Bytes of one request's body; 32 MiB by default.
    pub body: ByteSize,
    /// Bytes of all requests' bodies together, until each request is answered or its stream begins; 256 MiB by default.
    /// Requests beyond them are refused with 503. Bodies of up to 64 KiB take none of them: they have a reserve beside, of
    /// 64 KiB for each of the connections that there may be.
    pub bodies: ByteSize,
    /// Longest time for a body to arrive; 60 s by default.
    pub body_time: Duration,
    /// Texts of one request; 2,048 by default. Each sandbox gets some of them.
    pub texts: usize,
    /// Choices of one request for a generation: prompts times `n`; 16 by default.
    pub choices: usize,
    /// Silence of a stream after which an empty piece is sent, so that nobody in between gives up; 10 s by default.
    pub silence: Duration,
    /// The names by which the server lets itself be called: those of this machine alone by default.
    pub host_names: HostNames,
    /// Origins of pages that may ask this server and read its answers; none by default.
    pub cors_origins: Vec<CorsOrigin>,
    /// Bounds of connections.
    pub connections: ConnectionSettings,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            body: DEFAULT_BODY,
            bodies: DEFAULT_BODIES,
            body_time: DEFAULT_BODY_TIME,
            texts: DEFAULT_TEXTS,
            choices: DEFAULT_CHOICES,
            silence: DEFAULT_SILENCE,
            host_names: HostNames::default(),
            cors_origins: Vec::new(),
            connections: ConnectionSettings::default(),
        }
    }
}
