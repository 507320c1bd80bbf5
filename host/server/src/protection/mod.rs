//! Protection of a service: who may ask, by which credential, and for what.

mod answers;
pub(crate) mod audit;
mod audit_row;
pub(crate) mod certificates;
pub(crate) mod denial;
pub(crate) mod forgetting;
pub(crate) mod gate;
pub(crate) mod proxied;
pub(crate) mod rate_headers;
mod recording;
pub(crate) mod routes;
pub(crate) mod rule;
mod settings;
pub(crate) mod visible;

pub use audit::Recorded;
pub(crate) use settings::OFF;
pub use settings::Protection;
