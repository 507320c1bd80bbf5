//! Chores of the reaper by the time that they are due, the earliest first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Something to do, and when. It says when it wants to be done again.
pub(crate) struct Chore {
    due: Instant,
    work: Box<dyn FnMut() -> Option<Instant> + Send>,
}

impl Chore {
    /// Does `work` once.
    pub(crate) fn once(due: Instant, work: impl FnOnce() + Send + 'static) -> Self {
        let mut work = Some(work);
        Self::repeated(due, move || {
            if let Some(work) = work.take() {
                work();
            }
            None
        })
    }

    /// Does `work` first when it is due and then whenever it has asked for.
    pub(crate) fn repeated(
        due: Instant,
        work: impl FnMut() -> Option<Instant> + Send + 'static,
    ) -> Self {
        Self {
            due,
            work: Box::new(work),
        }
    }

    /// Does it, and returns it with its next time if there is one. A panic is a bug, and ends the chore
    /// rather than the reaper.
    pub(crate) fn run(mut self) -> Option<Self> {
        let again = catch_unwind(AssertUnwindSafe(|| (self.work)()));
        self.due = again.ok()??;
        Some(self)
    }
}

impl PartialEq for Chore {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Chore {}

impl PartialOrd for Chore {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Chore {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

/// Chores that wait. There may be one for each generation of the last seconds, and the reaper looks
/// here at every request.
#[derive(Default)]
pub(crate) struct Chores(BinaryHeap<Reverse<Chore>>);

impl Chores {
    pub(crate) fn add(&mut self, chore: Chore) {
        self.0.push(Reverse(chore));
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse(chore)| chore.due)
    }

    /// Takes out those that are due by now, or all of them.
    pub(crate) fn take_due(&mut self, take_all: bool) -> Vec<Chore> {
        let now = Instant::now();
        let mut due = Vec::new();
        while let Some(next) = self.next_due()
            && (take_all || next <= now)
        {
            due.extend(self.0.pop().map(|Reverse(chore)| chore));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_due_comes_out_earliest_first_and_the_rest_stays() {
        let (sender, receiver) = channel();
        let now = Instant::now();
        let mut chores = Chores::default();
        for late in [2_u64, 1, 3] {
            let sender = sender.clone();
            let due = now.checked_sub(Duration::from_millis(late)).unwrap_or(now);
            chores.add(Chore::once(due, move || {
                sender.send(late).unwrap_or_default()
            }));
        }
        let far = now + Duration::from_secs(60);
        chores.add(Chore::once(far, || {}));
        for chore in chores.take_due(false) {
            assert!(chore.run().is_none());
        }
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [3, 2, 1]);
        assert_eq!(chores.next_due(), Some(far));
        assert_eq!(chores.take_due(true).len(), 1);
        assert_eq!(chores.next_due(), None);
    }

    #[test]
    fn a_chore_is_done_again_when_it_asks_for_it_until_it_does_not() {
        let far = Instant::now() + Duration::from_secs(60);
        let mut left = 2;
        let mut chore = Some(Chore::repeated(far, move || {
            left -= 1;
            (left > 0).then_some(far)
        }));
        for is_left in [true, false] {
            chore = chore.and_then(Chore::run);
            assert_eq!(chore.is_some(), is_left);
        }
    }
}
