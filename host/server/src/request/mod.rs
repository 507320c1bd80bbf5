//! Facts of a request that all layers share, from its first to its last.

pub(crate) mod context;
pub(crate) mod counted;
pub(crate) mod ended;
pub(crate) mod family;
pub(crate) mod method;
pub(crate) mod probe;
pub(crate) mod room;
pub(crate) mod seen;
