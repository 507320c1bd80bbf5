//! The guest's log: the `log` import, standard output and standard error, within one budget.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ampoule_units::{ByteSize, text};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::imports::bindings::ampoule::model::log::Level;

/// The level of a message.
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
    /// The level.
    pub level: LogLevel,
    /// The text, with every control character but tab replaced, so that it cannot forge lines or
    /// steer a terminal.
    pub text: String,
}

/// The messages of one sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestLog {
    /// Messages within the budget, in order.
    pub messages: Vec<LogMessage>,
    /// Bytes that were over the budget and are lost.
    pub dropped_bytes: u64,
}

impl GuestLog {
    /// Logs messages that came from another process. Those of this process are logged as they are written. The other
    /// process has worked on a stranger's bytes, so control characters are replaced again.
    pub fn tell(&self) {
        for LogMessage { level, text } in &self.messages {
            let text = text::line(text);
            tracing::debug!(target: "ampoule::guest", ?level, %text);
        }
    }
}

/// The smallest cost of one message against the budget, so that empty messages cannot make the
/// host hold millions of them.
const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// The most bytes of an unfinished line that are held back for its end. WASI hands over 4,096 at a time.
const MAX_UNFINISHED_BYTES: usize = 4 * STDIO_WRITE_BYTES;

/// One sandbox's log and its budget. Clones are the same log.
#[derive(Debug, Clone)]
pub struct LogSink {
    shared: Arc<Mutex<Kept>>,
}

#[derive(Debug)]
struct Kept {
    log: GuestLog,
    /// Bytes of the budget that are left.
    left: usize,
    /// The beginnings of lines on standard output and standard error.
    unfinished: [Vec<u8>; 2],
}

impl LogSink {
    /// Makes an empty log that keeps this many bytes.
    #[must_use]
    pub fn new(budget: ByteSize) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Kept {
                log: GuestLog::default(),
                left: usize::try_from(budget.bytes()).unwrap_or(usize::MAX),
                unfinished: Default::default(),
            })),
        }
    }

    /// Keeps the message if the budget allows it whole. Otherwise the message is cut or dropped, and the lost bytes are
    /// counted.
    pub fn write(&self, level: LogLevel, text: &str) {
        let mut kept = self.lock();
        kept.finish_lines();
        kept.push(level, text);
    }

    /// Returns the stream for standard output.
    pub fn stdout(&self) -> Stdio {
        Stdio {
            log: self.clone(),
            stream: 0,
        }
    }

    /// Returns the stream for standard error.
    pub fn stderr(&self) -> Stdio {
        Stdio {
            log: self.clone(),
            stream: 1,
        }
    }

    /// Copies the log so far. The cost grows with the log, so nothing that a guest can repeat may call it.
    pub fn snapshot(&self) -> GuestLog {
        let kept = self.lock();
        let mut copy = Kept {
            log: kept.log.clone(),
            left: kept.left,
            unfinished: kept.unfinished.clone(),
        };
        drop(kept);
        copy.finish_lines();
        copy.log
    }

    /// Takes all messages out.
    pub fn take(&self) -> GuestLog {
        let mut kept = self.lock();
        kept.finish_lines();
        std::mem::take(&mut kept.log)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing between lock and unlock leaves the log half-changed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, level: LogLevel, text: &str) {
        let text = text.trim_end_matches(['\n', '\r']);
        let room = self.left.saturating_sub(MESSAGE_OVERHEAD_BYTES);
        let mut clean = String::with_capacity(text.len().min(room));
        let mut cut = text.len();
        for (at, c) in text.char_indices() {
            let c = text::in_line(c);
            if clean.len() + c.len_utf8() > room {
                cut = at;
                break;
            }
            clean.push(c);
        }
        self.drop_bytes(text.len() - cut);
        if room == 0 {
            return;
        }
        self.left -= clean.len() + MESSAGE_OVERHEAD_BYTES;
        tracing::debug!(target: "ampoule::guest", ?level, text = %clean);
        self.log.messages.push(LogMessage { level, text: clean });
    }

    fn drop_bytes(&mut self, bytes: usize) {
        self.log.dropped_bytes = self.log.dropped_bytes.saturating_add(bytes as u64);
    }

    /// Keeps the beginnings of unfinished lines as messages.
    fn finish_lines(&mut self) {
        for stream in 0..self.unfinished.len() {
            self.finish(stream, usize::MAX);
        }
    }

    /// Keeps the first `bytes` that a stream holds back as one message.
    fn finish(&mut self, stream: usize, bytes: usize) {
        let Some(unfinished) = self.unfinished.get_mut(stream) else {
            return;
        };
        let bytes = bytes.min(unfinished.len());
        if bytes > 0 {
            let text: Vec<u8> = unfinished.drain(..bytes).collect();
            self.push(LogLevel::Stdio, &String::from_utf8_lossy(&text));
        }
    }

    /// Takes bytes as a stream delivers them. A message ends at the end of a line; an overlong line is split between two
    /// characters.
    fn write_to(&mut self, stream: usize, bytes: &[u8]) {
        // The budget is in bytes, so bytes beyond it need no decoding.
        let kept = &bytes[..bytes.len().min(self.left)];
        self.drop_bytes(bytes.len() - kept.len());
        let Some(unfinished) = self.unfinished.get_mut(stream) else {
            return;
        };
        unfinished.extend_from_slice(kept);
        let line = unfinished.iter().rposition(|byte| *byte == b'\n');
        let ready = match line {
            Some(end) => end + 1,
            None if unfinished.len() < MAX_UNFINISHED_BYTES => 0,
            None => whole_characters(unfinished),
        };
        self.finish(stream, ready);
    }
}

/// Returns the number of bytes before an incomplete last character.
fn whole_characters(bytes: &[u8]) -> usize {
    // A character has four bytes at most, so an incomplete one begins within the last three.
    let tail = bytes.len().saturating_sub(3);
    let begins = |at: &usize| bytes.get(*at).is_some_and(|byte| *byte >= 0xc0);
    let Some(last) = (tail..bytes.len()).rev().find(begins) else {
        return bytes.len();
    };
    match std::str::from_utf8(&bytes[last..]) {
        Err(error) if error.error_len().is_none() => last,
        _ => bytes.len(),
    }
}

/// Standard output or standard error, written into the log.
#[derive(Debug, Clone)]
pub struct Stdio {
    log: LogSink,
    stream: usize,
}

impl StdoutStream for Stdio {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this form, and it is switched off.
        Box::new(tokio::io::sink())
    }
}

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

/// Bytes that a stream lets a guest write at once.
const STDIO_WRITE_BYTES: usize = 4096;

#[async_trait::async_trait]
impl OutputStream for Stdio {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.lock().write_to(self.stream, &bytes);
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
impl Pollable for Stdio {
    async fn ready(&mut self) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn texts(log: &GuestLog) -> Vec<&str> {
        log.messages.iter().map(|said| said.text.as_str()).collect()
    }

    fn print(mut stream: Stdio, text: &[u8]) {
        for piece in text.chunks(STDIO_WRITE_BYTES) {
            stream.write(Bytes::copy_from_slice(piece)).unwrap();
        }
    }

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
    fn a_message_counts_as_it_is_kept_and_not_as_it_was_said() {
        let sink = LogSink::new(ByteSize::from_bytes(10_000));
        sink.write(LogLevel::Info, &"\u{1b}".repeat(10_000));
        let kept: usize = texts(&sink.take()).iter().map(|text| text.len()).sum();
        assert!(kept <= 10_000, "{kept}");
    }

    #[test]
    fn a_message_cannot_forge_a_line_or_steer_a_terminal() {
        let sink = LogSink::new(ByteSize::from_bytes(1_000));
        sink.write(LogLevel::Info, "a\nERROR b\u{1b}[2J\r\u{202e}\u{2028}c\n");
        assert_eq!(
            texts(&sink.take()),
            ["a⏎ERROR b\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}c"]
        );
    }

    #[test]
    fn a_printed_line_is_one_message_wherever_its_bytes_were_split() {
        let line = "漢字🦀é".repeat(1_000);
        for shift in 0..12 {
            let sink = LogSink::new(ByteSize::from_bytes(64 * 1024));
            let said = format!("{}{line}", "x".repeat(shift));
            print(sink.stdout(), format!("{said}\n").as_bytes());
            assert_eq!(texts(&sink.take()), [said]);
        }
    }

    #[test]
    fn a_line_too_long_to_wait_for_is_split_between_two_characters() {
        let said = format!("x{}", "漢".repeat(10_000));
        let sink = LogSink::new(ByteSize::from_bytes(64 * 1024));
        print(sink.stderr(), said.as_bytes());
        assert_eq!(texts(&sink.take()).concat(), said);
    }

    #[test]
    fn lines_of_two_streams_and_of_the_log_are_not_mixed() {
        let sink = LogSink::new(ByteSize::from_bytes(1_000));
        print(sink.stdout(), b"out");
        print(sink.stderr(), b"err\n");
        print(sink.stdout(), b"put\nnext");
        assert_eq!(texts(&sink.snapshot()), ["err", "output", "next"]);
        sink.write(LogLevel::Info, "logged");
        print(sink.stdout(), b" line\n");
        assert_eq!(
            texts(&sink.take()),
            ["err", "output", "next", "logged", " line"]
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        let sink = LogSink::new(ByteSize::from_bytes(100_000));
        print(sink.stdout(), &[0xff; 3 * MAX_UNFINISHED_BYTES]);
        print(sink.stdout(), &[b'a', 0xe2, 0x82]);
        let log = sink.take();
        let all = texts(&log).concat();
        assert!(all.chars().all(|c| c == '\u{fffd}' || c == 'a'));
    }
}
