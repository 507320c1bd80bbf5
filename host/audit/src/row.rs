//! Rows: one event each, a line of JSON.

use std::fmt;

use ampoule_signing::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The longest line of a row without contents.
pub const MAX_ROW_BYTES: usize = 8 << 10;
/// The most of a request's contents that a row takes, when it takes any.
pub const MAX_CONTENTS_BYTES: usize = 64 << 10;

/// Text of at most `BYTES` bytes in JSON. A longer one is cut, and ends in `…`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Cut<const BYTES: usize>(String);

/// Text of a row's field.
pub type Short = Cut<256>;
/// Contents of a request.
pub type Contents = Cut<MAX_CONTENTS_BYTES>;

impl<const BYTES: usize> Cut<BYTES> {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const BYTES: usize> From<&str> for Cut<BYTES> {
    fn from(text: &str) -> Self {
        const END: &str = "…";
        let mut length = 0;
        // Where the text is cut if it turns out too long.
        let mut cut = 0;
        for (index, char) in text.char_indices() {
            if length + END.len() <= BYTES {
                cut = index;
            }
            length += json_len(char);
            if length > BYTES {
                let kept = text.get(..cut).unwrap_or_default();
                return Self(format!("{kept}{END}"));
            }
        }
        Self(text.to_owned())
    }
}

impl<const BYTES: usize> From<String> for Cut<BYTES> {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl<const BYTES: usize> fmt::Debug for Cut<BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<const BYTES: usize> fmt::Display for Cut<BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes of a character inside a JSON text (RFC 8259, section 7).
fn json_len(char: char) -> usize {
    match char {
        '"' | '\\' | '\u{8}' | '\u{c}' | '\n' | '\r' | '\t' => 2,
        '\0'..='\u{1f}' => 6,
        _ => char.len_utf8(),
    }
}

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A request was answered, or ended otherwise.
    Request,
    /// A request was refused before anything was done for it.
    Denied,
    /// A process began to write.
    Start,
    /// A process ended.
    Stop,
    /// Settings, keys or models were read again.
    Reload,
    /// A key is accepted from now on, or no longer: the reason says which.
    Key,
    /// Rows are missing here.
    Lost,
}

/// A caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Kind of the credential.
    pub kind: Option<Short>,
    /// Public name of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Short>,
    /// Tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Short>,
    /// Role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Short>,
}

/// A model, by its name and by its signed content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowModel {
    /// Name that it is served under.
    pub name: Option<Short>,
    /// Publisher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publisher: Option<Short>,
    /// Version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Short>,
    /// Release number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<u64>,
    /// SHA-256 of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Short>,
}

/// Decision on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It was let in.
    Allow,
    /// It was refused.
    Deny,
}

/// One event. Fields that do not apply are left out of the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Time of the event's end.
    pub time: Timestamp,
    /// Kind of the event.
    pub event: Event,
    /// Id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Short>,
    /// Caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// Address at the other end of the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<Short>,
    /// Address of the client, as a trusted proxy named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Short>,
    /// Method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Short>,
    /// Pattern of the route, without the caller's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Short>,
    /// Family of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Short>,
    /// Model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<RowModel>,
    /// Task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Short>,
    /// Decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Reason of a refusal, by its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Short>,
    /// Status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// End of the request: `finished`, `client-gone`, or the code of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Short>,
    /// Bytes of the request's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// Bytes of the answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Tokens of the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Fuel that sandboxes used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// The most memory that a sandbox had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Time from the request's first byte to the answer's last, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// Part that a cache of answers had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Short>,
    /// Version of TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Short>,
    /// Bytes of an unfinished frame that a start cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torn_bytes: Option<u64>,
    /// Rows that are missing here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_rows: Option<u64>,
    /// Contents of the request, where the operator asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
}

impl Row {
    /// Makes a row that says no more than that something happened.
    #[must_use]
    pub fn new(event: Event, time: Timestamp) -> Self {
        Self {
            time,
            event,
            id: None,
            who: None,
            peer: None,
            address: None,
            method: None,
            route: None,
            family: None,
            model: None,
            task: None,
            decision: None,
            reason: None,
            status: None,
            outcome: None,
            body_bytes: None,
            bytes: None,
            input_tokens: None,
            output_tokens: None,
            fuel: None,
            peak_memory_bytes: None,
            duration_us: None,
            cache: None,
            tls: None,
            torn_bytes: None,
            lost_rows: None,
            contents: None,
        }
    }

    /// Writes the row without its number.
    pub(crate) fn to_line(&self) -> Result<Line> {
        let json = serde_json::to_vec(self).map_err(|_| Error::Internal("a row"))?;
        Ok(Line(json))
    }
}

/// A row in JSON that has no number yet.
#[derive(Clone, Debug)]
pub(crate) struct Line(Vec<u8>);

impl Line {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds the row to a batch, with its number as the first field.
    pub(crate) fn write(&self, number: u64, batch: &mut Vec<u8>) {
        batch.extend_from_slice(format!("{{\"row\":{number},").as_bytes());
        batch.extend_from_slice(self.0.strip_prefix(b"{").unwrap_or(&self.0));
        batch.push(b'\n');
    }
}

/// A row as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NumberedRow {
    /// Number of the row in the log, from 0.
    #[serde(rename = "row")]
    pub number: u64,
    /// Event.
    #[serde(flatten)]
    pub row: Row,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_longest_texts_is_no_longer_than_a_row_may_be() {
        for char in ["\u{1}", "\"", "é", "🦀", "x"] {
            let long = Short::from(char.repeat(10_000).as_str());
            let mut row = Row::new(Event::Request, Timestamp::now());
            let text = || Some(long.clone());
            row.who = Some(Who {
                kind: text(),
                name: text(),
                tenant: text(),
                role: text(),
            });
            row.model = Some(RowModel {
                name: text(),
                publisher: text(),
                version: text(),
                release: Some(u64::MAX),
                manifest: text(),
            });
            for field in [
                &mut row.id,
                &mut row.peer,
                &mut row.address,
                &mut row.method,
                &mut row.route,
                &mut row.family,
                &mut row.task,
                &mut row.reason,
                &mut row.outcome,
                &mut row.cache,
                &mut row.tls,
            ] {
                *field = text();
            }
            for field in [
                &mut row.body_bytes,
                &mut row.bytes,
                &mut row.input_tokens,
                &mut row.output_tokens,
                &mut row.fuel,
                &mut row.peak_memory_bytes,
                &mut row.duration_us,
                &mut row.torn_bytes,
                &mut row.lost_rows,
            ] {
                *field = Some(u64::MAX);
            }
            row.decision = Some(Decision::Allow);
            row.status = Some(u16::MAX);
            let line = row.to_line().unwrap();
            assert!(line.len() + 30 <= MAX_ROW_BYTES, "{}", line.len());
            assert!(line.len() > 4096, "{}", line.len());
        }
    }

    #[test]
    fn a_text_is_cut_where_it_is_too_long_and_only_there() {
        assert_eq!(Cut::<8>::from("12345678").as_str(), "12345678");
        assert_eq!(Cut::<8>::from("123456789").as_str(), "12345…");
        assert_eq!(Cut::<8>::from("éééé").as_str(), "éééé");
        assert_eq!(Cut::<8>::from("ééééé").as_str(), "éé…");
        assert_eq!(Cut::<8>::from("\u{1}\u{1}").as_str(), "…");
    }

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let mut row = Row::new(Event::Denied, Timestamp::now());
        row.reason = Some("unknown".into());
        row.contents = Some("two\nlines".into());
        let mut batch = Vec::new();
        row.to_line().unwrap().write(7, &mut batch);
        assert_eq!(batch.iter().filter(|byte| **byte == b'\n').count(), 1);
        let read: NumberedRow = serde_json::from_slice(&batch).unwrap();
        assert_eq!(read, NumberedRow { number: 7, row });
    }
}
