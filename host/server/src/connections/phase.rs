//! Phases of a connection.

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of a request was read since the last answer.
    Idle,
    /// A request's head is awaited or arriving.
    Head,
    /// A request is answered, and its body arrives.
    Upload,
    /// A request is answered, and its body is over.
    Answer,
    /// The answer is sent, and the rest of the request is thrown away.
    Linger,
}
