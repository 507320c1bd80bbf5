//! Waits for a lock that another process may hold, within bounds.

use std::fs::{File, TryLockError};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::values::error::{Error, Result};

/// The longest wait of a command for another that changes the same directory. Each command holds the lock for
/// milliseconds, while it reads and writes some small files. A holder of seconds hangs or was stopped.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Pauses between two attempts. The system has no wait for a lock that ends by itself.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Outcome of the wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The lock is held, until its file is closed.
    Taken,
    /// The patience ran out, or nobody wants the lock any more.
    GivenUp,
}

/// Takes the lock on a file. Waits for `patience` at most, and only while `is_wanted` returns true.
pub(crate) fn take(
    lock: &File,
    patience: Duration,
    is_wanted: impl Fn() -> bool,
) -> io::Result<Turn> {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Turn::Taken),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() || !is_wanted() {
            return Ok(Turn::GivenUp);
        }
        thread::sleep(pause.min(left));
        pause = LONGEST_PAUSE.min(2 * pause);
    }
}

/// Takes the lock on a file, waiting for [`LOCK_PATIENCE`] at most. `what` names the locked directory in messages.
///
/// # Errors
///
/// `io.locked` when another process keeps it, `io.failed`.
pub(crate) fn take_or_say(lock: File, what: &str) -> Result<File> {
    match take(&lock, LOCK_PATIENCE, || true) {
        Ok(Turn::Taken) => Ok(lock),
        Ok(Turn::GivenUp) => Err(Error::Locked {
            what: what.to_owned(),
            waited: LOCK_PATIENCE,
        }),
        Err(error) => Err(Error::io(format!("lock {what}"))(error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_stays_held_is_given_up_in_time_and_when_nobody_wants_it() {
        let dir = tempfile::tempdir().unwrap();
        let open = || File::create(dir.path().join("lock")).unwrap();
        let held = open();
        let waiting = open();
        held.lock().unwrap();

        let patience = Duration::from_millis(60);
        let began = Instant::now();
        assert_eq!(take(&waiting, patience, || true).unwrap(), Turn::GivenUp);
        assert!(began.elapsed() >= patience);
        let began = Instant::now();
        let unwanted = take(&waiting, Duration::from_secs(60), || false);
        assert_eq!(unwanted.unwrap(), Turn::GivenUp);
        assert!(began.elapsed() < Duration::from_secs(10));

        drop(held);
        assert_eq!(take(&waiting, patience, || true).unwrap(), Turn::Taken);
    }
}
