//! Bounds of connections, each with the reason for its default.

use std::time::Duration;

/// Connections at one time. An open one costs about 20 KiB, so this many cost 20 MiB. Requests that run at one time are
/// bounded much lower, by the host.
const DEFAULT_CONNECTIONS: usize = 1_024;

/// Time for a request's head to arrive. A head is one packet or two, so slower ones hold connections open on purpose.
const DEFAULT_HEAD_TIME: Duration = Duration::from_secs(10);

/// Time between two requests. Pools of clients keep connections for 90 s, and do not repeat a POST on one that the server
/// has closed, so the server keeps them longer.
const DEFAULT_IDLE_TIME: Duration = Duration::from_secs(120);

/// Time in which a reader whose answer waits has to take [`TAKEN_BYTES`]. Proxies give up after 30 to 60 s.
const DEFAULT_STALL_TIME: Duration = Duration::from_secs(30);

/// Bytes that a slow reader takes in each stall time: 2 KiB a second, a tenth of a modem. The system tells of them in
/// steps of some ten KiB. One who takes a byte now and
/// then would hold an answer in memory for ever.
pub(super) const TAKEN_BYTES: usize = 64 << 10;

/// Time for the rest of a body that nobody reads, once the answer is sent. A client that still sends when its connection
/// is closed is told of a broken connection, and not of the answer.
const DEFAULT_LINGER_TIME: Duration = Duration::from_secs(15);

/// Time that a connection without a request stays open after a drain has begun. A request that is on its way is refused with
/// an answer, and not with a broken connection.
const DEFAULT_DRAIN_GRACE: Duration = Duration::from_millis(250);

/// Longest time for an answer that refuses a connection.
pub(super) const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// Bytes of a body that nobody reads, which are thrown away. Twice the largest body by default: a client that sends more
/// than is allowed learns of it.
pub(super) const LINGER_BYTES: usize = 64 << 20;

/// Bytes of a request's head. Browsers and proxies add cookies and traces of some KiB; other servers allow 8 to 64 KiB.
pub(crate) const HEAD_BYTES: usize = 32 << 10;

/// Bytes of a request's head by HTTP/2, once it is unpacked, with 32 for each of its lines (RFC 9113, section 6.5.2).
pub(super) const HEAD_LIST_BYTES: u32 = 32 << 10;

/// Bytes of a request's path and query: as many as other servers allow.
pub(crate) const ADDRESS_BYTES: usize = 8 << 10;

/// Bytes of a connection's buffer in each direction, at most. A head fits twice.
pub(super) const BUFFER_BYTES: usize = 64 << 10;

/// Time for which a client holds up its connection before that may be closed to make room for a new one: an upload is silent,
/// or an answer waits. Bytes of an upload that goes on, and those of an answer that is read, move many times a second.
pub(super) const HOLD_UP: Duration = Duration::from_secs(1);

/// Bounds of the connections of [`serve`](crate::serve).
///
/// Later versions may have more fields: write the rest as `..ConnectionSettings::default()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Connections at one time; 1,024 by default. The system's limit of descriptors may allow fewer. A new one beyond
    /// them takes the place of one that waits for its request; where none waits, it is refused with 503.
    pub connections: usize,
    /// Time for a request's head to arrive; 10 s by default.
    pub head_time: Duration,
    /// Time between two requests of a connection; 120 s by default.
    pub idle_time: Duration,
    /// Time in which a reader whose answer waits has to take 64 KiB or the rest; 30 s by default.
    pub stall_time: Duration,
    /// Time for the rest of a body that nobody reads; 15 s by default.
    pub linger_time: Duration,
    /// Time that a connection without a request stays open after a drain has begun; 250 ms by default.
    pub drain_grace: Duration,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            connections: DEFAULT_CONNECTIONS,
            head_time: DEFAULT_HEAD_TIME,
            idle_time: DEFAULT_IDLE_TIME,
            stall_time: DEFAULT_STALL_TIME,
            linger_time: DEFAULT_LINGER_TIME,
            drain_grace: DEFAULT_DRAIN_GRACE,
        }
    }
}
