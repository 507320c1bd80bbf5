//! Streams of a connection of HTTP/2, as its progress counts them.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::connections::phase::Phase;
use crate::connections::settings::{ConnectionSettings, HOLD_UP, TAKEN_BYTES};

/// The open streams of a connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    next: u64,
    open: BTreeMap<u64, Open>,
    /// Time since which a head is arriving.
    head: Option<Instant>,
}

/// A request whose answer the system has not taken yet.
#[derive(Debug)]
struct Open {
    /// Time of the last bytes of the request's body; `None` once it is over.
    upload: Option<Instant>,
    /// Bytes of the answer that wait for the client to open its window.
    waiting: usize,
    /// Time since which bytes have waited, with those that were taken since then.
    stalled: Option<(Instant, usize)>,
    /// Time at which the client last took bytes of the answer, or at which the first of those that wait were handed over.
    moved: Instant,
}

impl Streams {
    pub(super) fn begin(&mut self, has_body: bool) -> u64 {
        let id = self.next;
        self.next += 1;
        let stream = Open {
            upload: has_body.then(Instant::now),
            waiting: 0,
            stalled: None,
            moved: Instant::now(),
        };
        self.open.insert(id, stream);
        id
    }

    pub(super) fn end(&mut self, id: u64) {
        self.open.remove(&id);
    }

    /// Notes that bytes of a request's body have come.
    pub(super) fn received(&mut self, id: u64) {
        if let Some(upload) = self.open.get_mut(&id).and_then(|open| open.upload.as_mut()) {
            *upload = Instant::now();
        }
    }

    /// Notes that a request's body is over.
    pub(super) fn uploaded(&mut self, id: u64) {
        if let Some(open) = self.open.get_mut(&id) {
            open.upload = None;
        }
    }

    /// Notes that these bytes of an answer wait to be sent.
    pub(super) fn handed(&mut self, id: u64, bytes: usize) {
        if let Some(open) = self.open.get_mut(&id) {
            if open.waiting == 0 {
                open.moved = Instant::now();
            }
            open.waiting = open.waiting.saturating_add(bytes);
            open.stalled.get_or_insert_with(|| (Instant::now(), 0));
        }
    }

    /// Notes that these bytes of an answer wait no more.
    pub(super) fn taken(&mut self, id: u64, bytes: usize) {
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        open.moved = Instant::now();
        open.waiting = open.waiting.saturating_sub(bytes);
        if let Some((_, taken)) = &mut open.stalled {
            *taken = taken.saturating_add(bytes);
            let is_going_on = *taken >= TAKEN_BYTES;
            open.stalled = match open.waiting {
                0 => None,
                _ if is_going_on => Some((Instant::now(), 0)),
                _ => open.stalled,
            };
        }
    }

    /// Notes whether a head is arriving.
    pub(super) fn head(&mut self, is_arriving: bool) {
        self.head = is_arriving.then(Instant::now);
    }

    /// Returns the phase of a connection with these streams, and the time of its last upload.
    pub(super) fn phase(&self) -> (Phase, Option<Instant>) {
        if self.open.is_empty() {
            return (Phase::Idle, None);
        }
        let uploads: Option<Vec<Instant>> = self.open.values().map(|open| open.upload).collect();
        match uploads {
            Some(uploads) => (Phase::Upload, uploads.into_iter().max()),
            None => (Phase::Answer, None),
        }
    }

    /// Returns the time since which the client holds up the connection. `None` while there is no stream, or one that the
    /// host works on or whose body is arriving. The stream that waits longest counts: a client that opens another one now
    /// and then does not free the connection.
    pub(super) fn held_up(&self) -> Option<Instant> {
        let since = |open: &Open| match open.upload {
            Some(last) => (last.elapsed() >= HOLD_UP).then_some(last),
            None => (open.waiting > 0).then_some(open.moved),
        };
        let waits: Option<Vec<Instant>> = self.open.values().map(since).collect();
        waits?.into_iter().min()
    }

    /// Tells whether a head is arriving for too long, or a reader takes too little.
    pub(super) fn is_overdue(&self, settings: &ConnectionSettings) -> bool {
        let is_slow = self
            .head
            .is_some_and(|since| since.elapsed() >= settings.head_time);
        let is_stalled = |open: &Open| {
            open.stalled
                .is_some_and(|(since, _)| since.elapsed() >= settings.stall_time)
        };
        is_slow || self.open.values().any(is_stalled)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at_once() -> ConnectionSettings {
        ConnectionSettings {
            head_time: Duration::ZERO,
            stall_time: Duration::ZERO,
            ..ConnectionSettings::default()
        }
    }

    #[test]
    fn a_connection_waits_while_it_has_no_stream_and_uploads_while_all_of_them_do() {
        let mut streams = Streams::default();
        assert_eq!(streams.phase(), (Phase::Idle, None));
        let upload = streams.begin(true);
        assert_eq!(streams.phase().0, Phase::Upload);
        let get = streams.begin(false);
        assert_eq!(streams.phase().0, Phase::Answer);
        streams.end(get);
        assert_eq!(streams.phase().0, Phase::Upload);
        streams.uploaded(upload);
        assert_eq!(streams.phase().0, Phase::Answer);
        streams.end(upload);
        assert_eq!(streams.phase(), (Phase::Idle, None));
    }

    #[test]
    fn a_reader_is_stalled_while_bytes_wait_and_one_that_takes_enough_is_not() {
        let mut streams = Streams::default();
        let stream = streams.begin(false);
        assert!(!streams.is_overdue(&at_once()));
        streams.handed(stream, 2 * TAKEN_BYTES);
        assert!(streams.is_overdue(&at_once()));
        let patient = ConnectionSettings::default();
        assert!(!streams.is_overdue(&patient));
        streams.taken(stream, 1);
        let before = streams.open[&stream].stalled;
        streams.taken(stream, TAKEN_BYTES);
        assert!(
            streams.open[&stream].stalled > before,
            "its time begins anew"
        );
        streams.taken(stream, TAKEN_BYTES - 1);
        assert!(!streams.is_overdue(&at_once()), "it has taken everything");
    }

    #[test]
    fn a_client_holds_up_a_connection_while_each_stream_waits_for_it() {
        let mut streams = Streams::default();
        assert_eq!(streams.held_up(), None, "there is nothing to wait for");
        let first = streams.begin(false);
        assert_eq!(streams.held_up(), None, "its answer is being made");
        streams.handed(first, 2);
        let since = streams.held_up();
        assert!(since.is_some());
        let second = streams.begin(false);
        assert_eq!(streams.held_up(), None, "another answer is being made");
        streams.handed(second, 1);
        assert_eq!(streams.held_up(), since, "a new stream gives no new time");
        streams.handed(first, 1);
        assert_eq!(streams.held_up(), since, "nor do more bytes that wait");
        streams.taken(first, 1);
        assert!(streams.held_up() > since, "the client reads");
        streams.begin(true);
        assert_eq!(streams.held_up(), None, "an upload goes on");
    }

    #[test]
    fn a_head_has_its_time_beside_all_streams() {
        let mut streams = Streams::default();
        streams.begin(false);
        streams.head(true);
        assert!(streams.is_overdue(&at_once()));
        streams.head(false);
        assert!(!streams.is_overdue(&at_once()));
    }
}
