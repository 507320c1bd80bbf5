//! A table of cells that is bounded in size, whatever its keys are.
//!
//! A cell in which everything is paid off is as good as none, so a full table drops such cells. Where none is, new keys
//! share one cell until there is room: who floods the table with keys gets no new burst by each.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gcra::{Cell, Metered, Ticks, ticks};

/// Parts of a table, each with a lock of its own.
const SHARDS: usize = 16;
/// Time between two searches of one full part for cells to drop, so that a flood of keys does not have each of them
/// search all.
const SWEEP_EVERY: Ticks = ticks(Duration::from_secs(1));

/// Cells of one holder of limits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cells {
    pub(crate) requests: Cell,
    pub(crate) tokens: Metered,
    pub(crate) fuel: Metered,
}

impl Cells {
    fn are_paid_off(&self, now: Ticks) -> bool {
        [self.requests, self.tokens.cell, self.fuel.cell]
            .iter()
            .all(|cell| cell.is_paid_off(now))
    }
}

/// A table of cells, by their holders.
pub(crate) struct Table<K> {
    shards: [Mutex<Shard<K>>; SHARDS],
    hasher: RandomState,
    most_in_shard: usize,
}

struct Shard<K> {
    cells: HashMap<K, Cells>,
    /// Cell of all holders for which there is no room.
    shared: Cells,
    next_sweep: Ticks,
}

impl<K: Hash + Eq + Clone> Table<K> {
    /// Makes a table with room for about `most` holders.
    pub(crate) fn new(most: usize) -> Self {
        let shard = || {
            Mutex::new(Shard {
                cells: HashMap::new(),
                shared: Cells::default(),
                next_sweep: 0,
            })
        };
        Self {
            shards: std::array::from_fn(|_| shard()),
            hasher: RandomState::new(),
            most_in_shard: most.div_ceil(SHARDS).max(1),
        }
    }

    /// Calls `act` with the cells of a holder, which are made if need be.
    pub(crate) fn with<T>(&self, holder: &K, now: Ticks, act: impl FnOnce(&mut Cells) -> T) -> T {
        let mut shard = self.shard(holder);
        act(shard.cells_of(holder, now, self.most_in_shard))
    }

    /// Returns the cells of a holder as they are, and makes none.
    pub(crate) fn look(&self, holder: &K) -> Cells {
        let shard = self.shard(holder);
        let is_full = shard.cells.len() >= self.most_in_shard;
        let absent = if is_full {
            shard.shared
        } else {
            Cells::default()
        };
        shard.cells.get(holder).copied().unwrap_or(absent)
    }

    /// Returns the number of holders that have cells of their own.
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| lock(shard).cells.len()).sum()
    }

    fn shard(&self, holder: &K) -> MutexGuard<'_, Shard<K>> {
        let [first, rest @ ..] = &self.shards;
        // The upper bits: the map of the shard takes the lower ones of another hash.
        let place = (self.hasher.hash_one(holder) >> 32) as usize % SHARDS;
        lock(
            place
                .checked_sub(1)
                .and_then(|place| rest.get(place))
                .unwrap_or(first),
        )
    }
}

impl<K: Hash + Eq + Clone> Shard<K> {
    fn cells_of(&mut self, holder: &K, now: Ticks, most: usize) -> &mut Cells {
        if self.cells.len() >= most && !self.cells.contains_key(holder) {
            if now >= self.next_sweep {
                self.next_sweep = now + SWEEP_EVERY;
                self.cells.retain(|_, cells| !cells.are_paid_off(now));
            }
            if self.cells.len() >= most {
                return &mut self.shared;
            }
        }
        self.cells.entry(holder.clone()).or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gcra::Pace;

    const SECOND: Ticks = ticks(Duration::from_secs(1));

    /// Takes one of a burst of ten that is paid off in a minute.
    fn take(table: &Table<u32>, holder: u32, now: Ticks) -> bool {
        let pace = Pace::new("10/1m".parse().unwrap(), 10);
        table.with(&holder, now, |cells| {
            cells.requests.take(pace, 1, now).is_ok()
        })
    }

    #[test]
    fn a_flood_of_holders_takes_bounded_memory_and_gets_no_burst_by_each() {
        const MOST: usize = 1_600;
        const FLOOD: u32 = 100_000;
        let table = Table::new(MOST);
        let allowed = (0..FLOOD)
            .filter(|holder| take(&table, *holder, SECOND))
            .count();
        assert!(table.len() <= MOST, "{}", table.len());
        // Each of those with cells of their own, and the bursts that the others share.
        assert!(
            (MOST / 2..=MOST + 10 * SHARDS).contains(&allowed),
            "{allowed}"
        );
    }

    #[test]
    fn who_owes_keeps_a_cell_through_a_flood_and_room_comes_back_with_time() {
        const MOST: usize = 160;
        let table = Table::new(MOST);
        while take(&table, 0, SECOND) {}
        for holder in 1..100_000 {
            take(&table, holder, SECOND + SECOND / 100);
        }
        assert!(!take(&table, 0, 2 * SECOND));
        // A minute later everything is paid off, and one look makes room again.
        let later = 70 * SECOND;
        for holder in 1_000_000..1_000_100 {
            assert!(take(&table, holder, later));
        }
        assert!(table.len() <= MOST);
        assert!(take(&table, 0, later));
    }

    #[test]
    fn to_look_at_a_holder_makes_no_cell() {
        let table = Table::<u32>::new(16);
        assert!(table.look(&1).are_paid_off(0));
        assert_eq!(table.len(), 0);
        take(&table, 1, SECOND);
        assert!(!table.look(&1).are_paid_off(SECOND));
    }
}
