//! Work on large bodies, off the threads that serve all requests.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::core::cores::cores;
use crate::error::ApiError;

/// Bytes of a body that is worked on where its request is served. To parse as many takes less than a millisecond, and
/// another thread's wake-up costs some of that.
const SMALL_BODY: usize = 64 << 10;

/// Threads for work on large bodies: one fewer than the cores, so that a core is left for everybody else.
#[derive(Debug)]
pub(crate) struct Readers {
    permits: Arc<Semaphore>,
}

impl Default for Readers {
    fn default() -> Self {
        let threads = cores().saturating_sub(1).max(1);
        Self {
            permits: Arc::new(Semaphore::new(threads)),
        }
    }
}

impl Readers {
    /// Works on a body of so many bytes. A request that is dropped while it waits for a thread does no work at all.
    ///
    /// # Errors
    ///
    /// Those of the work; `internal.bug` where it panics.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        if bytes <= SMALL_BODY {
            return work();
        }
        // Nobody closes the semaphore.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || {
            // Work that goes on after its request has gone keeps its permit.
            let _permit = permit;
            span.in_scope(work)
        });
        task.await
            .unwrap_or_else(|_| Err(ApiError::internal("the work on a body panicked")))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn large_bodies_are_worked_on_by_another_thread_and_small_ones_are_not() {
        let readers = Readers::default();
        let here = thread::current().id();
        for (bytes, is_here) in [(0, true), (SMALL_BODY, true), (SMALL_BODY + 1, false)] {
            let worker = readers.work(bytes, || Ok(thread::current().id())).await;
            assert_eq!(worker.unwrap() == here, is_here, "{bytes}");
        }
        let panicked = readers.work(usize::MAX, || -> Result<(), _> { panic!("as it should") });
        assert_eq!(panicked.await.unwrap_err().code, "internal.bug");
    }

    #[tokio::test]
    async fn a_request_that_goes_while_it_waits_for_a_thread_does_no_work() {
        let readers = Readers::default();
        let all = u32::try_from(readers.permits.available_permits()).unwrap();
        let busy = readers.permits.acquire_many(all).await.unwrap();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let waits = readers.work(usize::MAX, move || {
            begun.send(()).unwrap();
            Ok(())
        });
        let waited = tokio::time::timeout(std::time::Duration::from_millis(10), waits).await;
        assert!(waited.is_err(), "no thread is free");
        drop(busy);
        assert!(has_begun.recv().is_err(), "the work was dropped");
        assert_eq!(readers.work(usize::MAX, || Ok(1)).await.unwrap(), 1);
    }
}
