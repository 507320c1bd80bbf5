//! Lines of JSON, one value a line.

use serde::Serialize;

/// The media type of a stream of lines.
pub(crate) const MEDIA_TYPE: &str = "application/x-ndjson";

/// Writes a line.
pub(crate) fn line(out: &mut Vec<u8>, value: &impl Serialize) {
    let start = out.len();
    if let Err(error) = serde_json::to_writer(&mut *out, value) {
        tracing::error!(target: "ampoule::server", %error, "a line could not be written as JSON");
        out.truncate(start);
        return;
    }
    out.push(b'\n');
}
