//! A queue that is fair over tenants: each has its turn, however much another has asked for.
//!
//! Within a tenant the oldest comes first. Where the queue is full, a tenant that waits with less than another takes the
//! place of that one's newest job, so nobody fills the queue for everybody.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Jobs by tenant.
pub(super) struct FairQueue<K, T> {
    lines: HashMap<K, VecDeque<T>>,
    /// Every tenant that has a line, in the order of their next turns.
    order: VecDeque<K>,
    length: usize,
}

impl<K, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        Self {
            lines: HashMap::new(),
            order: VecDeque::new(),
            length: 0,
        }
    }
}

impl<K: Eq + Hash + Clone, T> FairQueue<K, T> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a job of `tenant` behind its others.
    pub(super) fn push(&mut self, tenant: K, job: T) {
        let line = self.lines.entry(tenant.clone()).or_default();
        if line.is_empty() {
            self.order.push_back(tenant);
        }
        line.push_back(job);
        self.length += 1;
    }

    /// Returns the job that [`FairQueue::pop`] would.
    pub(super) fn front(&self) -> Option<&T> {
        self.lines.get(self.order.front()?)?.front()
    }

    /// Takes the oldest job of the tenant whose turn it is. The next turn is another's.
    pub(super) fn pop(&mut self) -> Option<T> {
        let tenant = self.order.pop_front()?;
        let line = self.lines.get_mut(&tenant)?;
        let job = line.pop_front()?;
        self.length -= 1;
        if line.is_empty() {
            self.lines.remove(&tenant);
        } else {
            self.order.push_back(tenant);
        }
        Some(job)
    }

    /// Takes out the newest job of the tenant that waits with most, if `tenant` would wait with less than that one does
    /// even with one job more.
    pub(super) fn give_way_to(&mut self, tenant: &K) -> Option<T> {
        let own = self.lines.get(tenant).map_or(0, VecDeque::len);
        let (most, line) = self
            .lines
            .iter_mut()
            .max_by_key(|(_, line)| line.len())
            .filter(|(_, line)| line.len() > own + 1)?;
        let most = most.clone();
        let job = line.pop_back()?;
        self.length -= 1;
        if line.is_empty() {
            self.lines.remove(&most);
            self.order.retain(|waiting| *waiting != most);
        }
        Some(job)
    }

    /// Takes out all jobs of which `is_over` is true.
    pub(super) fn take_if(&mut self, is_over: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        for line in self.lines.values_mut() {
            if line.iter().any(&is_over) {
                let (over, waiting): (VecDeque<_>, _) = line.drain(..).partition(&is_over);
                *line = waiting;
                taken.extend(over);
            }
        }
        if !taken.is_empty() {
            self.length -= taken.len();
            self.lines.retain(|_, line| !line.is_empty());
            let lines = &self.lines;
            self.order.retain(|tenant| lines.contains_key(tenant));
        }
        taken
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.lines.values().flatten()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn queue(jobs: &[(&'static str, u32)]) -> FairQueue<&'static str, u32> {
        let mut queue = FairQueue::default();
        for (tenant, job) in jobs {
            queue.push(*tenant, *job);
        }
        queue
    }

    fn drained(mut queue: FairQueue<&'static str, u32>) -> Vec<u32> {
        let length = queue.len();
        let jobs: Vec<_> = std::iter::from_fn(|| {
            let front = queue.front().copied();
            let job = queue.pop();
            assert_eq!(front, job);
            job
        })
        .collect();
        assert_eq!(jobs.len(), length);
        assert!(queue.is_empty() && queue.lines.is_empty() && queue.order.is_empty());
        jobs
    }

    #[test]
    fn tenants_have_turns_and_a_tenants_jobs_keep_their_order() {
        let queue = queue(&[("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)]);
        assert_eq!(drained(queue), [1, 4, 5, 2, 6, 3]);
    }

    #[test]
    fn a_full_queue_makes_room_for_whoever_waits_with_less() {
        let mut queue = queue(&[("a", 1), ("a", 2), ("a", 3), ("b", 4)]);
        assert_eq!(queue.give_way_to(&"a"), None);
        assert_eq!(queue.give_way_to(&"b"), Some(3));
        // Both would wait with two then.
        assert_eq!(queue.give_way_to(&"b"), None);
        assert_eq!(queue.give_way_to(&"c"), Some(2));
        assert_eq!(queue.give_way_to(&"c"), None);
        assert_eq!(drained(queue), [1, 4]);
    }

    #[test]
    fn what_is_over_is_taken_out_and_its_tenant_with_the_last_of_it() {
        let mut queue = queue(&[("a", 1), ("a", 2), ("b", 3), ("c", 5)]);
        let mut over = queue.take_if(|job| job % 2 == 1);
        over.sort_unstable();
        assert_eq!(over, [1, 3, 5]);
        assert_eq!(queue.len(), 1);
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [2]);
        assert_eq!(drained(queue), [2]);
    }
}
