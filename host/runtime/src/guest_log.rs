//! What a guest says: the `log` import, standard output and standard error, all bounded.

use std::sync::{Arc, Mutex, PoisonError};

use ampoule_signing::ByteSize;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::bindings::ampoule::model::log::Level;

/// How much one message matters, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd, and the guest went on.
    Warn,
    /// A fact of normal running.
    Info,
    /// For the model's author.
    Debug,
    /// Written to standard output or standard error.
    Stdio,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
        }
    }
}

/// One message of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogMessage {
    /// How much it matters.
    pub level: LogLevel,
    /// The text, with every control character but tab replaced, so that it cannot forge lines or
    /// steer a terminal.
    pub text: String,
}

/// What one sandbox said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestLog {
    /// What was kept, in order.
    pub messages: Vec<LogMessage>,
    /// Bytes that were over the budget and are lost.
    pub dropped_bytes: u64,
}

impl GuestLog {
    /// Logs what was said in another process, as what is said in this one is logged at once. That process has
    /// worked on the bytes of a stranger, so its text is made harmless here.
    pub(crate) fn tell(&self) {
        for LogMessage { level, text } in &self.messages {
            let text = harmless(text);
            tracing::debug!(target: "ampoule::guest", ?level, %text);
        }
    }
}

/// The smallest cost of one message against the budget, so that empty messages cannot make the
/// host hold millions of them.
const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// One sandbox's log and its budget. Clones are the same log.
#[derive(Debug, Clone)]
pub(crate) struct LogSink {
    shared: Arc<Mutex<Kept>>,
}

#[derive(Debug)]
struct Kept {
    log: GuestLog,
    left: usize,
}

impl LogSink {
    pub(crate) fn new(budget: ByteSize) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Kept {
                log: GuestLog::default(),
                left: usize::try_from(budget.bytes()).unwrap_or(usize::MAX),
            })),
        }
    }

    /// Keeps the message if the budget allows it whole; cuts or drops and counts it otherwise.
    pub(crate) fn write(&self, level: LogLevel, text: &str) {
        let mut kept = self.lock();
        let room = kept.left.saturating_sub(MESSAGE_OVERHEAD_BYTES);
        let cut = text.floor_char_boundary(room.min(text.len()));
        kept.log.dropped_bytes = kept
            .log
            .dropped_bytes
            .saturating_add((text.len() - cut) as u64);
        if room == 0 {
            return;
        }
        kept.left -= cut + MESSAGE_OVERHEAD_BYTES;
        let text = harmless(&text[..cut]);
        tracing::debug!(target: "ampoule::guest", ?level, %text);
        kept.log.messages.push(LogMessage { level, text });
    }

    /// Everything so far.
    pub(crate) fn snapshot(&self) -> GuestLog {
        self.lock().log.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing between lock and unlock leaves the log half-changed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Text of a guest as one line: control characters, which a terminal or a log reader might obey, are
/// replaced.
pub(crate) fn harmless(text: &str) -> String {
    text.trim_end_matches(['\n', '\r'])
        .chars()
        .map(|c| if c == '\n' { '⏎' } else { harmless_char(c) })
        .collect()
}

/// Text of a guest for a terminal: control characters but the ends of lines and tabs, and marks that
/// change the direction of writing, are replaced by `U+FFFD`. Each piece of a longer text can be given
/// by itself.
#[must_use]
pub fn harmless_text(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { c } else { harmless_char(c) })
        .collect()
}

fn harmless_char(c: char) -> char {
    match c {
        '\t' => c,
        c if c.is_control() => '\u{fffd}',
        // Marks and overrides of direction can make a line read as another, and two more
        // characters end a line.
        '\u{061c}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c => c,
    }
}

/// Standard output and standard error end in the log.
impl StdoutStream for LogSink {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this form, and it is switched off.
        Box::new(tokio::io::sink())
    }
}

impl IsTerminal for LogSink {
    fn is_terminal(&self) -> bool {
        false
    }
}

/// What the stream lets a guest write at once, in bytes.
const STDIO_WRITE_BYTES: usize = 4096;

#[async_trait::async_trait]
impl OutputStream for LogSink {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        // The budget is in bytes, so what is beyond it need not be decoded.
        let kept = &bytes[..bytes.len().min(self.lock().left)];
        let dropped = (bytes.len() - kept.len()) as u64;
        Self::write(self, LogLevel::Stdio, &String::from_utf8_lossy(kept));
        self.lock().log.dropped_bytes += dropped;
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(STDIO_WRITE_BYTES)
    }
}

#[async_trait::async_trait]
impl Pollable for LogSink {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_budget_is_cut_dropped_and_counted() {
        let sink = LogSink::new(ByteSize::from_bytes(200));
        sink.write(LogLevel::Info, "short");
        sink.write(LogLevel::Info, &"x".repeat(100));
        sink.write(LogLevel::Info, "lost");
        let log = sink.snapshot();
        assert_eq!(log.messages.len(), 2);
        assert_eq!(log.messages[1].text.len(), 67);
        assert_eq!(log.dropped_bytes, 33 + 4);
    }

    #[test]
    fn empty_messages_cost_something_too() {
        let sink = LogSink::new(ByteSize::from_bytes(1_000));
        for _ in 0..1_000_000 {
            sink.write(LogLevel::Debug, "");
        }
        assert!(sink.snapshot().messages.len() <= 1_000 / MESSAGE_OVERHEAD_BYTES);
    }

    #[test]
    fn a_message_cannot_forge_a_line_or_steer_a_terminal() {
        assert_eq!(
            harmless("a\nERROR b\u{1b}[2J\r\u{202e}\u{2028}c\n"),
            "a⏎ERROR b\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}c"
        );
    }
}
