//! Server-sent events, read strictly: clients differ in what else they bear.

use serde_json::Value;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamEvent {
    /// The name, where there is one.
    pub name: Option<String>,
    /// The data, as it was sent.
    pub data: String,
}

impl StreamEvent {
    /// Reads the data as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }
}

/// Reads a whole stream of events.
///
/// # Panics
///
/// If it holds anything beside events of an optional name and one line of data: an id, a time to retry, a comment, an
/// empty line more, an event without data, or half an event at its end.
#[must_use]
#[track_caller]
pub fn stream_events(text: &str) -> Vec<StreamEvent> {
    let whole = text.strip_suffix("\n\n");
    let whole = whole.unwrap_or_else(|| panic!("the last event is cut: {text}"));
    let events = whole.split("\n\n").map(|frame| {
        let mut lines: Vec<&str> = frame.split('\n').collect();
        let data = lines.pop().and_then(|line| line.strip_prefix("data: "));
        let data = data.filter(|data| !data.is_empty());
        let data = data.unwrap_or_else(|| panic!("no data: {frame:?}"));
        let name = lines.pop().map(|line| {
            let name = line.strip_prefix("event: ");
            name.unwrap_or_else(|| panic!("{frame:?}")).to_owned()
        });
        assert!(lines.is_empty(), "{frame:?}");
        StreamEvent {
            name,
            data: data.to_owned(),
        }
    });
    events.collect()
}
