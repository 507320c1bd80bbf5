//! The parts of HTTP that all families share: bodies, request ids, errors that leave in the family's form.

pub(crate) mod access_log;
pub(crate) mod body;
pub(crate) mod cors;
pub(crate) mod field_names;
pub(crate) mod frames;
pub(crate) mod host_guard;
pub(crate) mod json;
pub(crate) mod json_fault;
pub(crate) mod line_json;
pub(crate) mod name;
pub(crate) mod ndjson;
pub(crate) mod observation;
pub(crate) mod security_headers;
pub(crate) mod sse;
pub(crate) mod stream;
pub(crate) mod text_or;
