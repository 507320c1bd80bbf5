//! A thread that sweeps each half minute.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ampoule_signing::Error as SigningError;

/// Time between two sweeps. An entry over its age answers nothing meanwhile.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// Calls `sweep` until it returns false, or the other end of `ended` is dropped.
///
/// # Errors
///
/// `io.failed` where the system gives no thread.
pub(crate) fn begin(
    ended: Receiver<()>,
    sweep: impl Fn() -> bool + Send + 'static,
) -> Result<(), SigningError> {
    let swept = thread::Builder::new()
        .name("ampoule-answers".to_owned())
        .spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(SWEEP_EVERY) {
                // A bug in one sweep must not be the end of sweeping.
                match catch_unwind(AssertUnwindSafe(&sweep)) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(_) => tracing::error!(
                        target: "ampoule::answers",
                        code = "internal.bug",
                        "a sweep of the cache of answers panicked; please report it"
                    ),
                }
            }
        });
    swept.map(drop).map_err(|error| SigningError::Io {
        doing: "start a thread that sweeps the cache of answers".to_owned(),
        source: Arc::new(error),
    })
}
