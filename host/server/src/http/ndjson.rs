//! Lines of JSON, one value a line.

use serde::Serialize;

use super::line_json;

/// The media type of a stream of lines.
pub(crate) const MEDIA_TYPE: &str = "application/x-ndjson";

/// Writes a line.
pub(crate) fn line(out: &mut Vec<u8>, value: &impl Serialize) {
    let start = out.len();
    if let Err(error) = line_json::write(out, value) {
        tracing::error!(target: "ampoule::server", %error, "a line could not be written as JSON");
        out.truncate(start);
        return;
    }
    out.push(b'\n');
}
