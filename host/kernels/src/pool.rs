//! Threads that compute kernels.

use std::cell::OnceCell;

use ampoule_sandbox::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// One pool for all guests of a host, or none: each guest's own thread then computes.
#[derive(Debug)]
pub struct KernelThreads(Option<ThreadPool>);

impl KernelThreads {
    /// Starts `threads` threads. One means no pool: each guest's own thread computes.
    ///
    /// # Errors
    ///
    /// `io.thread`.
    pub fn new(threads: usize) -> Result<Self> {
        if threads <= 1 {
            return Ok(Self(None));
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("ampoule-kernel-{index}"))
            .build();
        match pool {
            Ok(pool) => Ok(Self(Some(pool))),
            Err(error) => Err(Error::Thread {
                reason: error.to_string(),
            }),
        }
    }

    /// Returns the number of threads.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, ThreadPool::current_num_threads)
    }

    /// Runs work on the threads, and waits for it.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => {
                stay_on_this_thread();
                work()
            }
        }
    }
}

/// Makes this thread a pool of its own. Kernels spread over the pool of the calling thread. For a thread without one
/// that is Rayon's global pool, which is as large as the machine.
fn stay_on_this_thread() {
    thread_local! {
        static ALONE: OnceCell<()> = const { OnceCell::new() };
    }
    ALONE.with(|alone| {
        alone.get_or_init(|| {
            // Fails for a thread that is in a pool already. That pool computes then, with the same result.
            let _ = ThreadPoolBuilder::new()
                .num_threads(1)
                .use_current_thread()
                .build();
        });
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn one_thread_is_the_callers_own_and_more_are_a_pools() {
        let here = std::thread::current().id();
        let one = KernelThreads::new(1).unwrap();
        let (threads, there) =
            one.run(|| (rayon::current_num_threads(), std::thread::current().id()));
        assert_eq!((threads, there == here, one.count()), (1, true, 1));

        let two = KernelThreads::new(2).unwrap();
        let (threads, there) =
            two.run(|| (rayon::current_num_threads(), std::thread::current().id()));
        assert_eq!((threads, there == here, two.count()), (2, false, 2));
    }
}
