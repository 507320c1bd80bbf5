//! Long work on a thread of its own.

use std::thread;

use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// Runs long work on a thread of its own, and waits for it. Dropping the future does not stop the work.
///
/// # Errors
///
/// `io.thread`, and those of `work`.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new()
        .name("ampoule-load".to_owned())
        .spawn(move || {
            // Fails when the caller has stopped waiting.
            let _ = sender.send(work());
        })
        .map_err(|error| Error::thread(&error))?;
    receiver
        .await
        .unwrap_or_else(|_| Err(Error::internal("the loading thread panicked")))
}
