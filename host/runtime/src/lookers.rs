//! Threads that look at files, for a watcher that must not hang where a file system does.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ampoule_sandbox::{Error, Result};

/// The longest wait for one job before the jobs behind it get another thread. A look opens a few files, which takes a
/// millisecond; one that takes this long hangs in a file system.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);

/// One look at one place.
type Job = Box<dyn FnOnce() + Send>;

/// Looks that are due, and the thread that takes one after the other. The thread ends when none is left.
#[derive(Clone, Default)]
pub(crate) struct Lookers(Arc<Mutex<Due>>);

#[derive(Default)]
struct Due {
    jobs: VecDeque<Job>,
    looker: Option<Looker>,
    /// Threads that were ever started.
    started: u64,
}

/// The thread that takes the next job.
struct Looker {
    number: u64,
    /// The beginning of the job that it is at.
    since: Instant,
}

impl Lookers {
    /// Has a thread do `job`, after those that were added before.
    ///
    /// # Errors
    ///
    /// `io.thread`; the job is not done then.
    pub(crate) fn add(&self, job: Job) -> Result<()> {
        let mut due = self.lock();
        due.jobs.push_back(job);
        if due.looker.is_some() {
            return Ok(());
        }
        self.start(&mut due).inspect_err(|_| {
            due.jobs.pop_back();
        })
    }

    /// Leaves a thread that hangs to its job, and has another thread do the jobs behind it.
    pub(crate) fn relieve(&self) {
        let mut due = self.lock();
        let hangs = |looker: &Looker| looker.since.elapsed() >= PATIENCE;
        if !due.jobs.is_empty() && due.looker.as_ref().is_none_or(hangs) {
            // Whoever waits relieves again if there is no thread to be had now.
            let _ = self.start(&mut due);
        }
    }

    fn start(&self, due: &mut Due) -> Result<()> {
        let number = due.started;
        let lookers = self.clone();
        thread::Builder::new()
            .name("ampoule-look".to_owned())
            .spawn(move || lookers.run(number))
            .map_err(|error| Error::thread(&error))?;
        due.started += 1;
        due.looker = Some(Looker {
            number,
            since: Instant::now(),
        });
        Ok(())
    }

    fn run(&self, number: u64) {
        while let Some(job) = self.next(number) {
            // Whoever waits for the job learns of the panic by the channel that it drops.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn next(&self, number: u64) -> Option<Job> {
        let mut due = self.lock();
        // A thread that was relieved leaves the rest to the next.
        let looker = due.looker.as_mut().filter(|looker| looker.number == number);
        looker?.since = Instant::now();
        let job = due.jobs.pop_front();
        if job.is_none() {
            due.looker = None;
        }
        job
    }

    fn lock(&self) -> MutexGuard<'_, Due> {
        // Nothing between lock and unlock panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
