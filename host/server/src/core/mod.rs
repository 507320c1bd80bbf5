//! The typed core: from a request of any family to calls of a model, and back.

pub(crate) mod batches;
pub(crate) mod classification;
pub(crate) mod context_length;
pub(crate) mod cores;
pub(crate) mod embedding;
pub(crate) mod generation;
pub(crate) mod input_checks;
pub(crate) mod kept;
pub(crate) mod limit_fields;
pub(crate) mod picture;
pub(crate) mod place;
pub(crate) mod properties;
pub(crate) mod question;
pub(crate) mod readers;
pub(crate) mod sampling;
pub(crate) mod tokenization;
