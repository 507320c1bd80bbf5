//! Values that concurrent callers make once and share, for as long as one of them holds the value.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

/// One value, or the turn to make it. Callers wait for it without a thread.
type Slot<V> = tokio::sync::Mutex<Weak<V>>;

/// Values by key, held weakly.
pub struct Slots<K, V>(Mutex<HashMap<K, Arc<Slot<V>>>>);

/// The exclusive turn to look one value up or to make it. Dropping it passes the turn on.
pub struct Turn<V>(OwnedMutexGuard<Weak<V>>);

impl<K, V> Default for Slots<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, V> fmt::Debug for Slots<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").finish_non_exhaustive()
    }
}

impl<V> fmt::Debug for Turn<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").finish_non_exhaustive()
    }
}

impl<K: Eq + Hash + Clone, V> Slots<K, V> {
    /// Waits for the turn of a key.
    pub async fn turn(&self, key: &K) -> Turn<V> {
        let slot = self.slot(key);
        Turn(slot.lock_owned().await)
    }

    fn slot(&self, key: &K) -> Arc<Slot<V>> {
        // A map is whole between two calls.
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Drops slots whose value nobody holds or makes.
        slots.retain(|_, slot| {
            Arc::strong_count(slot) > 1
                || slot.try_lock().is_ok_and(|value| value.strong_count() > 0)
        });
        Arc::clone(slots.entry(key.clone()).or_default())
    }
}

impl<V> Turn<V> {
    /// Returns the value, if somebody holds it.
    #[must_use]
    pub fn value(&self) -> Option<Arc<V>> {
        self.0.upgrade()
    }

    /// Shares a value with later callers.
    pub fn share(&mut self, value: &Arc<V>) {
        *self.0 = Arc::downgrade(value);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_value_is_shared_while_somebody_has_it() {
        let slots = Slots::<u8, String>::default();
        let mut turn = slots.turn(&1).await;
        assert!(turn.value().is_none());
        let value = Arc::new("code".to_owned());
        turn.share(&value);
        drop(turn);
        assert!(Arc::ptr_eq(&slots.turn(&1).await.value().unwrap(), &value));
        assert!(slots.turn(&2).await.value().is_none());
        drop(value);
        assert!(slots.turn(&1).await.value().is_none());
    }

    #[tokio::test]
    async fn one_has_the_turn_and_the_others_wait() {
        let slots = Slots::<u8, String>::default();
        let turn = slots.turn(&1).await;
        let mut second = std::pin::pin!(slots.turn(&1));
        let waits = std::future::poll_fn(|context| {
            std::task::Poll::Ready(second.as_mut().poll(context).is_pending())
        });
        assert!(waits.await);
        drop(turn);
        second.await;
    }
}
