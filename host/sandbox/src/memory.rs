//! The memory budget of one sandbox: a limiter that counts all its memories and tables together.

use std::any::Any;
use std::sync::{Arc, Weak};

use ampoule_units::ByteSize;
use wasmtime::ResourceLimiter;

use crate::limits::{MAX_INSTANCES, MAX_MEMORIES, MAX_TABLES};

/// Bytes of one table element in the host's memory: a pointer.
pub const TABLE_ELEMENT_BYTES: u64 = size_of::<usize>() as u64;

/// A request for memory that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// The total that the request would have made.
    pub asked: ByteSize,
    /// The total that the sandbox may have.
    pub allowed: ByteSize,
}

/// Counts the memory that a sandbox holds, and refuses more than its budget.
///
/// A refusal is remembered: the guest usually aborts, and the trap is then reported as `limit.memory`.
#[derive(Debug)]
pub struct MemoryBudget {
    instances: usize,
    allowed: u64,
    used: u64,
    peak: u64,
    denial: Option<Denial>,
    /// The host's answers, which count until they are dropped.
    alive: Vec<(Weak<dyn Any + Send + Sync>, u64)>,
}

impl MemoryBudget {
    /// Makes a budget of this much memory.
    #[must_use]
    pub fn new(allowed: ByteSize) -> Self {
        Self {
            instances: MAX_INSTANCES,
            allowed: allowed.bytes(),
            used: 0,
            peak: 0,
            denial: None,
            alive: Vec::new(),
        }
    }

    /// Allows one core instance more than other sandboxes may have.
    pub fn allow_one_more_instance(&mut self) {
        self.instances += 1;
    }

    /// Raises the budget.
    pub fn allow_more(&mut self, memory: ByteSize) {
        self.allowed = self.allowed.saturating_add(memory.bytes());
    }

    /// Begins another phase with a budget of its own. Memory that is held stays counted.
    ///
    /// # Errors
    ///
    /// A denial when the sandbox already holds more than the new phase allows.
    pub fn begin_phase(&mut self, allowed: ByteSize) -> Result<(), Denial> {
        self.allowed = allowed.bytes();
        self.denial = None;
        self.forget_gone();
        if self.used > self.allowed {
            return Err(Denial {
                asked: ByteSize::from_bytes(self.used),
                allowed,
            });
        }
        Ok(())
    }

    /// Counts memory that the host holds on the sandbox's behalf as the sandbox's own. Returns false, and remembers the
    /// refusal, when the sandbox may not have so much.
    pub fn hold(&mut self, memory: ByteSize) -> bool {
        self.request(0, memory.bytes())
    }

    /// Stops counting memory of [`MemoryBudget::hold`].
    pub fn release(&mut self, memory: ByteSize) {
        self.used = self.used.saturating_sub(memory.bytes());
    }

    /// Counts memory as the sandbox's own until the last reference to `owner` is dropped, which is noticed when the
    /// sandbox next asks for memory.
    pub fn hold_while_alive<T: Any + Send + Sync>(
        &mut self,
        memory: ByteSize,
        owner: &Arc<T>,
    ) -> bool {
        let is_held = self.hold(memory);
        if is_held {
            let owner: Weak<T> = Arc::downgrade(owner);
            self.alive.push((owner, memory.bytes()));
        }
        is_held
    }

    fn forget_gone(&mut self) {
        let used = &mut self.used;
        self.alive.retain(|(owner, bytes)| {
            let is_alive = owner.strong_count() > 0;
            if !is_alive {
                *used = used.saturating_sub(*bytes);
            }
            is_alive
        });
    }

    /// Returns the peak.
    pub fn peak(&self) -> ByteSize {
        ByteSize::from_bytes(self.peak)
    }

    /// Returns the last refusal of this phase.
    pub fn denial(&self) -> Option<Denial> {
        self.denial
    }

    fn request(&mut self, current: u64, desired: u64) -> bool {
        self.forget_gone();
        let added = desired.saturating_sub(current);
        let total = self.used.saturating_add(added);
        if total > self.allowed {
            self.denial = Some(Denial {
                asked: ByteSize::from_bytes(total),
                allowed: ByteSize::from_bytes(self.allowed),
            });
            return false;
        }
        self.used = total;
        self.peak = self.peak.max(total);
        true
    }
}

/// Tells whether growth stays within the memory's or table's declared maximum. Wasmtime checks the maximum only after it
/// has asked the limiter, and growth that it then refuses must not stay counted.
///
/// `memory_grow_failed` cannot take such growth back: Wasmtime also calls it without having asked, so a guest could make
/// the budget forget memory that it holds. Growth that fails for any other reason (the system has no memory) therefore
/// stays counted, which is safe.
fn is_within(desired: usize, maximum: Option<usize>) -> bool {
    maximum.is_none_or(|maximum| desired <= maximum)
}

impl ResourceLimiter for MemoryBudget {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(is_within(desired, maximum) && self.request(current as u64, desired as u64))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = |elements: usize| (elements as u64).saturating_mul(TABLE_ELEMENT_BYTES);
        Ok(is_within(desired, maximum) && self.request(bytes(current), bytes(desired)))
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_count_together() {
        let mut budget = MemoryBudget::new(ByteSize::from_bytes(1_000));
        assert!(budget.memory_growing(0, 600, None).unwrap());
        assert!(budget.table_growing(0, 40, None).unwrap());
        assert!(!budget.memory_growing(0, 81, None).unwrap());
        assert_eq!(budget.denial().unwrap().asked.bytes(), 600 + 320 + 81);
        assert!(budget.memory_growing(0, 80, None).unwrap());
        assert_eq!(budget.peak().bytes(), 1_000);
    }

    #[test]
    fn what_the_host_holds_counts_until_it_is_gone() {
        let mut budget = MemoryBudget::new(ByteSize::from_bytes(1_000));
        assert!(budget.hold(ByteSize::from_bytes(700)));
        assert!(!budget.memory_growing(0, 301, None).unwrap());
        budget.release(ByteSize::from_bytes(700));
        let answer = Arc::new(vec![0_u8; 700]);
        assert!(budget.hold_while_alive(ByteSize::from_bytes(700), &answer));
        assert!(!budget.memory_growing(0, 301, None).unwrap());
        assert!(budget.memory_growing(0, 300, None).unwrap());
        assert_eq!(budget.peak().bytes(), 1_000);
        drop(answer);
        assert!(budget.memory_growing(300, 1_000, None).unwrap());
        assert!(!budget.hold_while_alive(ByteSize::from_bytes(1), &Arc::new(0_u8)));
    }

    #[test]
    fn a_guest_cannot_make_the_budget_forget_what_it_holds() {
        let mut budget = MemoryBudget::new(ByteSize::from_bytes(1_000));
        assert!(budget.memory_growing(0, 1_000, None).unwrap());
        let error = || wasmtime::Error::msg("beyond the memory's type");
        budget.memory_grow_failed(error()).unwrap();
        budget.table_grow_failed(error()).unwrap();
        assert!(!budget.memory_growing(1_000, 1_001, None).unwrap());
    }

    #[test]
    fn growth_beyond_the_declared_maximum_is_not_counted() {
        let mut budget = MemoryBudget::new(ByteSize::from_bytes(1_000));
        assert!(!budget.memory_growing(0, 900, Some(800)).unwrap());
        assert_eq!(budget.denial(), None);
        assert!(budget.memory_growing(0, 1_000, None).unwrap());
    }

    #[test]
    fn sizes_near_the_end_of_the_number_range_do_not_wrap() {
        let mut budget = MemoryBudget::new(ByteSize::from_bytes(1_000));
        assert!(budget.memory_growing(0, 1_000, None).unwrap());
        assert!(!budget.memory_growing(0, usize::MAX, None).unwrap());
        assert!(!budget.table_growing(0, usize::MAX, None).unwrap());
    }
}
