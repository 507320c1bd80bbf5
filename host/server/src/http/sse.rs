//! Server-sent events: frames of `data:`, each one line of JSON.
//!
//! Only what every client's decoder reads alike is written: no `id:`, no `retry:`, no comment, no empty `data:`, no `event:`
//! without data. Line ends are LF.

use serde::Serialize;

use super::line_json;

/// The media type of a stream of events.
pub(crate) const MEDIA_TYPE: &str = "text/event-stream";

/// Writes an event without a name.
pub(crate) fn data(out: &mut Vec<u8>, value: &impl Serialize) {
    let start = out.len();
    out.extend_from_slice(b"data: ");
    finish(out, start, value);
}

/// Writes an event with a name.
pub(crate) fn event(out: &mut Vec<u8>, name: &'static str, value: &impl Serialize) {
    let start = out.len();
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    finish(out, start, value);
}

/// Writes the mark by which OpenAI's streams say that they are whole.
pub(crate) fn done(out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: [DONE]\n\n");
}

fn finish(out: &mut Vec<u8>, start: usize, value: &impl Serialize) {
    if let Err(error) = line_json::write(out, value) {
        tracing::error!(target: "ampoule::server", %error, "an event could not be written as JSON");
        out.truncate(start);
        return;
    }
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_line_whatever_the_text_is() {
        let mut out = Vec::new();
        data(&mut out, &"a\r\nb\u{2028}\n\ndata: [DONE]");
        event(&mut out, "error", &["\n"]);
        done(&mut out);
        let expected = "data: \"a\\r\\nb\\u2028\\n\\ndata: [DONE]\"\n\nevent: error\ndata: [\"\\n\"]\n\ndata: [DONE]\n\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
