//! The talk about one model's lease: changes of trust one way, renewals asked for and answered.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::head::{malformed, read_head, write_head};
use crate::error::{Error, Result};
use crate::lease::{Lease, Lessor};

/// Bytes of one message. The longest is a refusal, which is a sentence or two.
const MAX_BYTES: u32 = 64 << 10;

/// The longest wait for an answer. Deciding about a model takes less than a millisecond; a loading process that does
/// not answer for so long has stopped, and a request would wait for it on its caller's thread.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FromLessor {
    Changed { generation: u64 },
    Granted(Lease),
    Refused(Error),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ToLessor {
    Renew,
}

/// Sends a whole message without waiting. `WouldBlock` when nothing of it could be sent: the other side has not read what
/// was sent before.
fn send_now(socket: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut bytes = Vec::new();
    write_head(&mut bytes, message)?;
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let sent = retry_on_intr(|| send(socket, &bytes, flags))?;
    if sent < bytes.len() {
        // The rest cannot follow, so whatever follows would be no message.
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    Ok(())
}

/// The loading process's end of a lease that was sent. It answers renewals on a thread of its own.
///
/// Invariant: without it the other process begins no request. Dropping it ends the lease.
pub struct LeaseKeeper {
    lessor: Arc<dyn Lessor>,
    socket: Arc<Mutex<UnixStream>>,
}

impl LeaseKeeper {
    pub(super) fn start(socket: UnixStream, lessor: Arc<dyn Lessor>) -> Result<Self> {
        let cloned = socket.try_clone();
        let mut questions =
            cloned.map_err(|error| Error::system("keep a socket open twice", &error))?;
        let keeper = Self {
            lessor: Arc::clone(&lessor),
            socket: Arc::new(Mutex::new(socket)),
        };
        let socket = Arc::clone(&keeper.socket);
        thread::Builder::new()
            .name("ampoule-lease".to_owned())
            .spawn(move || {
                while let Ok(ToLessor::Renew) = read_head(&mut questions, MAX_BYTES) {
                    let answer = match lessor.renew() {
                        Ok(lease) => FromLessor::Granted(lease),
                        Err(refused) => FromLessor::Refused(refused),
                    };
                    if send_now(&lock(&socket), &answer).is_err() {
                        break;
                    }
                }
                // The other side learns at once that nobody answers any more.
                let _ = questions.shutdown(Shutdown::Both);
            })
            .map_err(|error| Error::thread(&error))?;
        Ok(keeper)
    }

    /// Tells the other process which change of trust is in force. It is to be called after each change; the other
    /// process asks again before its next request to the model.
    ///
    /// # Errors
    ///
    /// `io.system` when the other process is gone. The lease is over then.
    pub fn announce(&self) -> Result<()> {
        let changed = FromLessor::Changed {
            generation: self.lessor.generation(),
        };
        let socket = lock(&self.socket);
        match send_now(&socket, &changed) {
            Ok(()) => Ok(()),
            // Nobody has asked for the model during many changes. The first of them, unread, ends the lease as well.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => {
                let _ = socket.shutdown(Shutdown::Both);
                let doing = "tell the process that serves of a change of trust";
                Err(Error::system(doing, &error))
            }
        }
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        let _ = lock(&self.socket).shutdown(Shutdown::Both);
    }
}

impl fmt::Debug for LeaseKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseKeeper").finish_non_exhaustive()
    }
}

/// The lessor of a model that was received: the [`LeaseKeeper`] at the other end of a socket.
///
/// Invariant: once the other end is gone, has said something that it may not, or has kept an answer back for 5 s,
/// nothing is granted any more.
#[derive(Debug)]
pub struct RemoteLessor(Mutex<Conversation>);

#[derive(Debug)]
struct Conversation {
    socket: UnixStream,
    /// The beginning of a message that has not come to its end.
    pending: Vec<u8>,
    /// The longest wait for an answer.
    patience: Duration,
    /// The newest change of trust that was heard of.
    generation: u64,
    is_over: bool,
}

impl RemoteLessor {
    /// Takes the lessor at the other end of a socket, which granted a lease under this change of trust. Answers may take
    /// as long as `patience`.
    pub(super) fn new(socket: UnixStream, generation: u64, patience: Duration) -> io::Result<Self> {
        // Fails for a descriptor that is no socket.
        socket.set_read_timeout(Some(patience))?;
        Ok(Self(Mutex::new(Conversation {
            socket,
            pending: Vec::new(),
            patience,
            generation,
            is_over: false,
        })))
    }
}

impl Lessor for RemoteLessor {
    /// Reads what has come, without waiting.
    fn generation(&self) -> u64 {
        let mut talk = lock(&self.0);
        if !talk.is_over
            && let Err(error) = talk.hear_changes()
        {
            talk.end(&error);
        }
        talk.generation
    }

    fn renew(&self) -> Result<Lease> {
        let mut talk = lock(&self.0);
        if talk.is_over {
            return Err(gone(&io::ErrorKind::BrokenPipe.into()));
        }
        talk.renew().unwrap_or_else(|error| {
            talk.end(&error);
            Err(gone(&error))
        })
    }

    fn on_change(&self, _: Box<dyn Fn() -> bool + Send + Sync>) {}
}

impl Conversation {
    fn hear_changes(&mut self) -> io::Result<()> {
        while let Some(message) = self.next(RecvFlags::DONTWAIT)? {
            match message {
                FromLessor::Changed { generation } => self.hear_of(generation),
                _ => return Err(malformed("an answer came to no question")),
            }
        }
        Ok(())
    }

    fn renew(&mut self) -> io::Result<Result<Lease>> {
        send_now(&self.socket, &ToLessor::Renew)?;
        let late = Instant::now() + self.patience;
        loop {
            let left = late.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.next(RecvFlags::empty())? {
                Some(FromLessor::Changed { generation }) => self.hear_of(generation),
                Some(FromLessor::Granted(lease)) => {
                    self.hear_of(lease.generation);
                    return Ok(Ok(lease));
                }
                Some(FromLessor::Refused(refused)) => return Ok(Err(refused)),
                None => break,
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    fn hear_of(&mut self, generation: u64) {
        self.generation = self.generation.max(generation);
    }

    /// Returns the next message; `None` when no more has come yet, or in the socket's time.
    fn next(&mut self, flags: RecvFlags) -> io::Result<Option<FromLessor>> {
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(Some(message));
            }
            let mut chunk = [0; 4096];
            match retry_on_intr(|| recv(&self.socket, &mut chunk[..], flags)) {
                Ok((_, 0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((_, length)) => self
                    .pending
                    .extend_from_slice(chunk.get(..length).unwrap_or_default()),
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes a message out of what has come, if it has come whole.
    fn take_message<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let mut bytes = &self.pending[..];
        let read = read_head(&mut bytes, MAX_BYTES);
        let rest = bytes.len();
        match read {
            Ok(message) => {
                let taken = self.pending.len() - rest;
                self.pending.drain(..taken);
                Ok(Some(message))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends the lease: from now on the change of trust is one that no lease was granted under.
    fn end(&mut self, error: &io::Error) {
        tracing::error!(
            target: "ampoule::trust",
            %error,
            "the process that loads models is not heard any more, and its model answers no new request"
        );
        let _ = self.socket.shutdown(Shutdown::Both);
        self.pending = Vec::new();
        self.generation = self.generation.wrapping_add(1);
        self.is_over = true;
    }
}

fn gone(error: &io::Error) -> Error {
    Error::system(
        "ask the process that loads models for the trust in this one",
        error,
    )
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing between lock and unlock panics.
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
