//! The host's own threads, the bounded queue before them, and the clock that interrupts guests.
//!
//! A guest that computes never gives way, so it must not run on a thread that somebody else needs.
//! Each worker here runs one guest at a time. The clock thread does nothing but advance the engine's
//! epoch, at which running guests ask whether they may go on: every deadline hangs on it. The reaper
//! ends the wait of requests whose time is up and drops what is left of sandboxes, which takes
//! milliseconds each and must delay neither the clock nor an embedder.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;

use crate::chores::{Chore, Chores};
use crate::error::{Error, Phase, Result};
use crate::store::{TICK, thread_runtime};

/// What becomes of a job.
enum Turn<'a> {
    /// It runs now, on this thread's runtime.
    Run(&'a Runtime),
    /// Its time was up while it waited.
    Expired,
}

struct Job {
    expires: Instant,
    cancelled: CancellationToken,
    work: Box<dyn FnOnce(Turn<'_>) + Send>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    chores: Chores,
    running: usize,
    is_closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    capacity: usize,
    /// A job arrived, or the queue was closed: for the workers.
    arrived: Condvar,
    /// There is something to tick for, or the queue was closed: for the clock.
    is_busy: Condvar,
    /// There is something to wait for, or the queue was closed: for the reaper.
    changed: Condvar,
}

impl Shared {
    fn new(capacity: usize) -> Self {
        Self {
            queue: Mutex::default(),
            capacity,
            arrived: Condvar::new(),
            is_busy: Condvar::new(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code that can panic runs while the lock is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a job may be told to come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A new request: refused with `limit.busy` when the queue is full.
    New,
    /// The next step of a request that has a place for its sandbox already. Refusing it would throw away what was
    /// done; how many there can be is bounded by the sandboxes.
    Continued,
}

/// Threads that run guests. They end when this is dropped.
pub(crate) struct Executor {
    shared: Arc<Shared>,
}

impl Executor {
    /// Starts `threads` workers, the clock and the reaper.
    pub(crate) fn new(engine: &Engine, threads: usize, capacity: usize) -> Result<Self> {
        // Made before any thread, so that a failure below ends those already started.
        let executor = Self {
            shared: Arc::new(Shared::new(capacity)),
        };
        for number in 0..threads.max(1) {
            let runtime = GuestRuntime(Some(thread_runtime()?));
            let shared = Arc::clone(&executor.shared);
            spawn(format!("ampoule-guest-{number}"), move || {
                if let Some(runtime) = &runtime.0 {
                    work(&shared, runtime);
                }
            })?;
        }
        let shared = Arc::clone(&executor.shared);
        spawn("ampoule-reaper".to_owned(), move || reap(&shared))?;
        let shared = Arc::clone(&executor.shared);
        let engine = engine.clone();
        spawn("ampoule-clock".to_owned(), move || tick(&shared, &engine))?;
        Ok(executor)
    }

    /// Has the reaper do something when its time has come.
    pub(crate) fn add_chore(&self, chore: Chore) {
        self.shared.lock().chores.add(chore);
        self.shared.changed.notify_one();
    }

    /// Runs `work` on one of the threads and waits for what it returns. Dropping the future
    /// cancels the token that `work` gets.
    ///
    /// `allowed` is what `limit.deadline` will say when the job is still waiting at `expires`.
    pub(crate) async fn run<T, W, F>(
        &self,
        urgency: Urgency,
        expires: Instant,
        allowed: Duration,
        work: W,
    ) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(CancellationToken) -> F + Send + 'static,
        F: Future<Output = Result<T>>,
    {
        let (sender, receiver) = oneshot::channel();
        let cancelled = CancellationToken::new();
        let guard = cancelled.clone().drop_guard();
        let token = cancelled.clone();
        let job = Job {
            expires,
            cancelled,
            work: Box::new(move |turn| {
                let result = match turn {
                    Turn::Run(runtime) => runtime.block_on(work(token)),
                    Turn::Expired => Err(Error::Deadline {
                        phase: Phase::Request,
                        allowed,
                    }),
                };
                // The caller may have gone; then nobody wants the result.
                let _ = sender.send(result);
            }),
        };
        self.submit(urgency, job)?;
        let result = receiver
            .await
            .unwrap_or_else(|_| Err(Error::internal("a guest's thread panicked")));
        guard.disarm();
        result
    }

    fn submit(&self, urgency: Urgency, job: Job) -> Result<()> {
        let mut queue = self.shared.lock();
        if urgency == Urgency::New && queue.jobs.len() >= self.shared.capacity {
            return Err(Error::Busy {
                reason: format!("{} requests are waiting", queue.jobs.len()),
            });
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.arrived.notify_one();
        self.shared.is_busy.notify_one();
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.arrived.notify_all();
        self.shared.is_busy.notify_all();
        self.shared.changed.notify_all();
    }
}

/// A thread's runtime. Where the system gives no thread it is dropped by whoever builds a host, perhaps
/// within a runtime of their own, where an ordinary drop panics.
struct GuestRuntime(Option<Runtime>);

impl Drop for GuestRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name)
        .spawn(body)
        .map(drop)
        .map_err(|error| Error::thread(&error))
}

/// Does a job, or gives it up. A panic is a bug of ours or of the engine; the thread survives it,
/// the job's sandbox goes with it, and the caller is told `internal.bug`.
fn finish(job: Job, turn: Turn<'_>) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        if job.cancelled.is_cancelled() {
            // Within the guard, because a job may hold a sandbox.
            drop(job);
        } else {
            (job.work)(turn);
        }
    }));
}

/// A worker: one job after another, until the queue is closed.
fn work(shared: &Shared, runtime: &Runtime) {
    let mut queue = shared.lock();
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            queue.running += 1;
            drop(queue);
            let turn = if Instant::now() >= job.expires {
                Turn::Expired
            } else {
                Turn::Run(runtime)
            };
            finish(job, turn);
            queue = shared.lock();
            queue.running -= 1;
        } else if queue.is_closed {
            return;
        } else {
            queue = shared
                .arrived
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The clock: sleeps while there is nothing to do, ticks otherwise.
fn tick(shared: &Shared, engine: &Engine) {
    loop {
        let mut queue = shared.lock();
        while queue.jobs.is_empty() && queue.running == 0 {
            if queue.is_closed {
                return;
            }
            queue = shared
                .is_busy
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(queue);
        thread::sleep(TICK);
        engine.increment_epoch();
    }
}

/// The reaper: gives up what has waited too long, and does chores when they are due.
fn reap(shared: &Shared) {
    let mut queue = shared.lock();
    loop {
        let is_closed = queue.is_closed;
        let (jobs, chores) = (take_overdue(&mut queue), queue.chores.take_due(is_closed));
        if !jobs.is_empty() || !chores.is_empty() {
            drop(queue);
            for job in jobs {
                finish(job, Turn::Expired);
            }
            let again: Vec<_> = chores.into_iter().filter_map(Chore::run).collect();
            queue = shared.lock();
            if !queue.is_closed {
                again.into_iter().for_each(|chore| queue.chores.add(chore));
            }
            continue;
        }
        if queue.is_closed {
            return;
        }
        let patience = if !queue.jobs.is_empty() {
            // A waiting job may be cancelled at any time without a word.
            TICK
        } else if let Some(due) = queue.chores.next_due() {
            due.saturating_duration_since(Instant::now())
        } else {
            // Whatever happens next wakes it.
            Duration::MAX
        };
        queue = shared
            .changed
            .wait_timeout(queue, patience)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
}

/// Takes out of the queue what nobody waits for any more, and what has waited too long.
fn take_overdue(queue: &mut Queue) -> VecDeque<Job> {
    let now = Instant::now();
    let is_overdue = |job: &Job| job.cancelled.is_cancelled() || now >= job.expires;
    if !queue.jobs.iter().any(is_overdue) {
        return VecDeque::new();
    }
    let (overdue, waiting) = queue.jobs.drain(..).partition(is_overdue);
    queue.jobs = waiting;
    overdue
}
