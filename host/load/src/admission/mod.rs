//! Admission: the decision whether a trusted bundle may run on this host.
//!
//! `policy` compares a bundle with the operator's limits, first by its manifest alone, then by its component. The other
//! files read the component's bytes, before anything is compiled.

pub(crate) mod component_instances;
mod component_size;
pub(crate) mod grants;
pub(crate) mod guest_features;
pub(crate) mod inspect;
mod malformed;
pub(crate) mod policy;
pub(crate) mod release_rule;
pub(crate) mod surface;
