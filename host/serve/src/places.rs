//! Places for sandboxes: as many sandboxes live at a time as there are places.

use std::sync::Arc;

use ampoule_sandbox::{Error, Limit, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one server.
#[derive(Debug)]
pub(crate) struct Places {
    permits: Arc<Semaphore>,
    count: usize,
    /// Each place that is taken has a clone.
    taken: Arc<()>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _taken: Arc<()>,
}

impl Places {
    pub(crate) fn new(count: usize) -> Self {
        let count = count.min(Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(count)),
            count,
            taken: Arc::new(()),
        }
    }

    /// Takes a place, if one is free; `limit.busy` otherwise.
    pub(crate) fn try_take(&self) -> Result<Place> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        let permit = permit.map_err(|_| Error::Busy {
            limit: Some(Limit::Sandboxes),
            reason: format!("{} sandboxes are in use", self.count),
        })?;
        Ok(self.place(permit))
    }

    /// Waits for a place.
    pub(crate) async fn take(&self) -> Result<Place> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| Error::internal("there are no places for sandboxes"))?;
        Ok(self.place(permit))
    }

    /// Returns how many places are taken.
    pub(crate) fn taken(&self) -> usize {
        Arc::strong_count(&self.taken) - 1
    }

    /// Waits until all places are free, and returns true then. Nobody gets one meanwhile.
    pub(crate) async fn all_free(&self) -> bool {
        let all = u32::try_from(self.count).unwrap_or(u32::MAX);
        self.permits.acquire_many(all).await.is_ok()
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        Place {
            _permit: permit,
            _taken: Arc::clone(&self.taken),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_that_are_waited_for_are_not_taken() {
        let places = Places::new(3);
        let place = places.try_take().unwrap();
        let mut waiting = std::pin::pin!(places.all_free());
        let is_pending = std::future::poll_fn(|context| {
            std::task::Poll::Ready(waiting.as_mut().poll(context).is_pending())
        });
        assert!(is_pending.await);
        assert_eq!(places.taken(), 1);
        assert_eq!(places.try_take().unwrap_err().code(), "limit.busy");
        drop(place);
        assert!(waiting.await);
        assert_eq!(places.taken(), 0);
    }
}
