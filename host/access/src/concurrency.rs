//! Bounds on requests that are being answered at one time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts of the holders that have a request in work. Nobody else has an entry, so the requests in work bound it.
#[derive(Debug)]
pub(crate) struct Places<K>(Arc<Mutex<HashMap<K, u32>>>);

/// Place of one request in work. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Place<K: Hash + Eq> {
    places: Arc<Mutex<HashMap<K, u32>>>,
    holder: K,
}

impl<K: Hash + Eq + Clone> Places<K> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Takes a place of a holder that may have `most`; `None` when all are taken.
    pub(crate) fn take(&self, holder: &K, most: u32) -> Option<Place<K>> {
        let mut counts = lock(&self.0);
        let count = counts.get(holder).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        counts.insert(holder.clone(), count + 1);
        Some(Place {
            places: Arc::clone(&self.0),
            holder: holder.clone(),
        })
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = lock(&self.places);
        let Some(count) = counts.get_mut(&self.holder) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.holder);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_until_it_is_dropped_and_nothing_stays_behind() {
        let places = Places::new();
        let (first, second) = (places.take(&'a', 2), places.take(&'a', 2));
        assert!(first.is_some() && second.is_some());
        assert!(places.take(&'a', 2).is_none());
        let other = places.take(&'b', 1).unwrap();
        assert!(places.take(&'b', 1).is_none());
        drop(first);
        // A bound that was lowered meanwhile lets nobody in until enough have gone.
        assert!(places.take(&'a', 1).is_none());
        let third = places.take(&'a', 2);
        assert!(third.is_some());
        drop((second, third, other));
        assert!(lock(&places.0).is_empty());
    }
}
