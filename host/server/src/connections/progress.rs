//! The progress of one connection, as its parts note it, and the end that it comes to.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::connections::phase::Phase;
use crate::connections::settings::{ConnectionSettings, HOLD_UP, TAKEN_BYTES};
use crate::connections::streams::Streams;
use crate::request::family::Family;

/// The reason for which a connection ends. A later one may take the place of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// Nothing is lost: it waits for a request.
    Quiet,
    /// The server ends, and the rest of the head is not awaited.
    Draining,
    /// The head did not arrive in time.
    HeadTime,
    /// It holds up what is more important, or its reader takes nothing.
    Abrupt,
}

/// The progress of one connection, as its parts note it.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    ending: watch::Sender<Option<Ending>>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The beginning of the phase; of an upload, the time at which its last bytes came.
    since: Instant,
    family: Family,
    /// The time since which the system takes no bytes, with those that it took since then.
    stalled: Option<(Instant, usize)>,
    /// An answer was begun and the system has not taken all of it.
    is_owed: bool,
    /// A request's body was left unread.
    is_unread: bool,
    /// The requests of a connection of HTTP/2; the phase follows from them.
    streams: Option<Streams>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::Head,
                since: Instant::now(),
                family: Family::Native,
                stalled: None,
                is_owed: false,
                is_unread: false,
                streams: None,
            }),
            ending: watch::Sender::new(None),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Tells whether the next request is awaited, or the first.
    pub(super) fn is_without_request(&self) -> bool {
        matches!(self.phase(), Phase::Idle | Phase::Head)
    }

    /// Returns the time since the phase began.
    pub(super) fn age(&self) -> Duration {
        self.state().since.elapsed()
    }

    pub(super) fn enter(&self, phase: Phase) {
        let mut state = self.state();
        if state.phase != phase {
            state.phase = phase;
            state.since = Instant::now();
        }
    }

    /// Notes that a request was read whose body is to come, or is empty.
    pub(super) fn begin(&self, family: Family, has_body: bool) {
        let mut state = self.state();
        state.phase = if has_body {
            Phase::Upload
        } else {
            Phase::Answer
        };
        state.since = Instant::now();
        state.family = family;
        state.is_owed = true;
        state.is_unread = false;
    }

    /// Notes that the client has chosen HTTP/2.
    pub(super) fn speak_http2(&self) {
        self.state().streams = Some(Streams::default());
    }

    /// Begins a stream of a connection of HTTP/2, and returns its id. Returns `None` on other connections.
    pub(super) fn begin_stream(&self, has_body: bool) -> Option<u64> {
        let mut state = self.state();
        let id = state.streams.as_mut()?.begin(has_body);
        state.is_owed = true;
        state.follow_streams();
        Some(id)
    }

    /// Notes what has happened to the streams of a connection of HTTP/2.
    pub(super) fn of_streams(&self, note: impl FnOnce(&mut Streams)) {
        let mut state = self.state();
        if let Some(streams) = &mut state.streams {
            note(streams);
            state.follow_streams();
        }
    }

    /// Notes that bytes of a next request are coming.
    pub(super) fn reads(&self) {
        let mut state = self.state();
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
            state.since = Instant::now();
        }
    }

    /// Notes that bytes of a request's body have come.
    pub(super) fn received(&self) {
        let mut state = self.state();
        if state.phase == Phase::Upload {
            state.since = Instant::now();
        }
    }

    /// Notes that a request's body is over.
    pub(super) fn uploaded(&self) {
        if self.phase() == Phase::Upload {
            self.enter(Phase::Answer);
        }
    }

    pub(super) fn family(&self) -> Family {
        self.state().family
    }

    pub(super) fn set_family(&self, family: Family) {
        self.state().family = family;
    }

    pub(super) fn leave_unread(&self) {
        self.state().is_unread = true;
    }

    pub(super) fn leave_nothing(&self) {
        self.state().is_unread = false;
    }

    pub(super) fn is_unread(&self) -> bool {
        self.state().is_unread
    }

    /// Notes how a write went.
    pub(super) fn noted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.blocked(),
            Poll::Ready(Ok(bytes)) => self.wrote(*bytes),
            Poll::Ready(Err(_)) => {}
        }
        written
    }

    /// Notes how a flush went. TLS keeps bytes of its own, which the system takes later.
    pub(super) fn noted_flush(&self, flushed: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        match &flushed {
            Poll::Pending => self.blocked(),
            Poll::Ready(Ok(())) => self.flushed(),
            Poll::Ready(Err(_)) => {}
        }
        flushed
    }

    /// Notes that the system took no bytes, so that it waits for the reader.
    fn blocked(&self) {
        let mut state = self.state();
        state.stalled.get_or_insert_with(|| (Instant::now(), 0));
    }

    /// Notes that the system took these bytes.
    fn wrote(&self, bytes: usize) {
        let mut state = self.state();
        if let Some((_, taken)) = &mut state.stalled {
            *taken = taken.saturating_add(bytes);
            if *taken >= TAKEN_BYTES {
                state.stalled = None;
            }
        }
    }

    /// Notes that the system took everything.
    fn flushed(&self) {
        let mut state = self.state();
        state.stalled = None;
        if matches!(state.phase, Phase::Idle | Phase::Head) {
            state.is_owed = false;
        }
    }

    /// Tells whether what is written now belongs to an answer, and not to a refusal of hyper's own.
    pub(super) fn is_owed(&self) -> bool {
        self.state().is_owed
    }

    /// Returns the connection's place among those that make room for a new one, the lowest first: one that lingers, then
    /// one whose request has not come, one that is idle, and one that its client holds up: an upload that is silent, or
    /// streams of HTTP/2 none of which goes on. Returns `None` for a connection that is busy or ends already.
    pub(super) fn rank(&self) -> Option<(u8, Instant)> {
        if self.ending.borrow().is_some() {
            return None;
        }
        let state = self.state();
        let held_up = state.streams.as_ref().and_then(Streams::held_up);
        if let Some(since) = held_up.filter(|since| since.elapsed() >= HOLD_UP) {
            return Some((3, since));
        }
        let rank = match state.phase {
            Phase::Linger => 0,
            // Its last answer is not all sent yet.
            Phase::Head | Phase::Idle if state.is_owed => return None,
            Phase::Head => 1,
            Phase::Idle => 2,
            Phase::Upload if state.since.elapsed() >= HOLD_UP => 3,
            Phase::Upload | Phase::Answer => return None,
        };
        Some((rank, state.since))
    }

    /// Returns the ending of a connection that is over its time.
    pub(super) fn overdue(&self, settings: &ConnectionSettings) -> Option<Ending> {
        let state = self.state();
        let is_stalled = state
            .stalled
            .is_some_and(|(since, _)| since.elapsed() >= settings.stall_time);
        let age = state.since.elapsed();
        let streams = state.streams.as_ref();
        match state.phase {
            _ if is_stalled => Some(Ending::Abrupt),
            _ if streams.is_some_and(|streams| streams.is_overdue(settings)) => {
                Some(Ending::Abrupt)
            }
            // Words of a refusal would stand within an answer that is not all sent yet.
            Phase::Head if age >= settings.head_time && !state.is_owed => Some(Ending::HeadTime),
            Phase::Idle if age >= settings.idle_time => Some(Ending::Quiet),
            Phase::Linger if age >= settings.linger_time => Some(Ending::Abrupt),
            _ => None,
        }
    }

    /// Returns the ending of a connection that waits for a request, or for the rest of a head, since this time or longer.
    pub(super) fn drained(&self, since: Instant) -> Option<Ending> {
        let state = self.state();
        match state.phase {
            // Its client learns which requests are answered still.
            _ if state.streams.is_some() => Some(Ending::Quiet),
            _ if state.since > since => None,
            Phase::Head if !state.is_owed => Some(Ending::Draining),
            Phase::Head | Phase::Idle => Some(Ending::Quiet),
            Phase::Upload | Phase::Answer | Phase::Linger => None,
        }
    }

    pub(super) fn end(&self, ending: Ending) {
        self.ending.send_if_modified(|current| {
            let is_new = *current < Some(ending);
            if is_new {
                *current = Some(ending);
            }
            is_new
        });
    }

    /// Takes back this ending of a connection that has gone on meanwhile.
    pub(super) fn go_on(&self, ending: Ending) {
        self.ending.send_if_modified(|current| {
            let is_this = *current == Some(ending);
            if is_this {
                *current = None;
            }
            is_this
        });
    }

    /// Waits until somebody ends the connection in another way than the `known` one.
    pub(super) async fn ended(&self, known: Option<Ending>) -> Ending {
        let mut endings = self.ending.subscribe();
        let changed = endings.wait_for(|ending| *ending > known).await;
        // The sender is this.
        changed
            .ok()
            .and_then(|ending| *ending)
            .unwrap_or(Ending::Abrupt)
    }
}

impl State {
    /// Enters the phase that follows from the streams. A connection that had none yet waits for its first head.
    fn follow_streams(&mut self) {
        let Some(streams) = &self.streams else {
            return;
        };
        let (phase, upload) = streams.phase();
        if phase != self.phase && !(phase == Phase::Idle && self.phase == Phase::Head) {
            self.phase = phase;
            self.since = Instant::now();
        }
        if let Some(upload) = upload {
            self.since = upload;
        }
        if phase == Phase::Idle && self.stalled.is_none() {
            self.is_owed = false;
        }
    }
}
