//! The host's own threads, the bounded queue before them, and the clock that interrupts guests.
//!
//! A guest that computes gives way to nobody but another guest, so it must not run on a thread that somebody else
//! needs. How the workers here take turns is in `worker.rs`. The clock thread does nothing but advance the engine's
//! epoch, at which running guests ask whether they may go on: every deadline hangs on it. The reaper
//! ends the wait of requests whose time is up and drops what is left of sandboxes, which takes
//! milliseconds each and must delay neither the clock nor an embedder.

mod worker;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;

use crate::chores::{Chore, Chores};
use crate::error::{Error, Phase, Result};
use crate::limit_table::Limit;
use crate::store::{TICK, thread_runtime};

use worker::Worker;
pub(crate) use worker::is_turn_over;

/// The end of a job's wait.
enum Turn {
    /// Its time has come. It runs on the thread that begins it.
    Run,
    /// Its time was up while it waited.
    Expired,
}

/// A job that has begun. It stays on its thread, whose clock it waits by.
type Running = Pin<Box<dyn Future<Output = ()>>>;

/// Work that waits for a thread.
struct Job {
    /// When it was asked for.
    since: Instant,
    expires: Instant,
    cancelled: CancellationToken,
    begin: Box<dyn FnOnce(Turn) -> Option<Running> + Send>,
}

impl Job {
    /// Begins the job, or gives it up. `None` when that was the end of it. A panic is a bug of ours or of the
    /// engine; the thread survives it, and the caller is told `internal.bug`.
    fn begin(self, turn: Turn) -> Option<Running> {
        let begun = catch_unwind(AssertUnwindSafe(|| {
            if self.cancelled.is_cancelled() {
                // Within the guard, because a job may hold a sandbox.
                drop(self);
                return None;
            }
            (self.begin)(turn)
        }));
        begun.ok().flatten()
    }
}

/// A worker that found nothing to do.
struct Idle {
    waker: Waker,
    /// It may begin a new request, too: no other that it has begun waits for something.
    takes_new: bool,
}

#[derive(Default)]
struct Queue {
    /// Requests that have not begun, the oldest first.
    new: VecDeque<Job>,
    /// Next steps of requests that have, the oldest first.
    continued: VecDeque<Job>,
    /// The workers that wait, each in the place of its number. A worker empties its place before it looks for
    /// a job, so that nobody is woken who is up already while another sleeps.
    idle: Vec<Option<Idle>>,
    chores: Chores,
    /// Jobs that have begun and are not over.
    running: usize,
    is_closed: bool,
}

impl Queue {
    fn of(&mut self, urgency: Urgency) -> &mut VecDeque<Job> {
        match urgency {
            Urgency::New => &mut self.new,
            Urgency::Continued => &mut self.continued,
        }
    }

    fn is_empty(&self) -> bool {
        self.new.is_empty() && self.continued.is_empty()
    }

    /// Takes out the waker of a worker that can do such a job at once, if there is one: rather one that does
    /// nothing else.
    fn idle_worker(&mut self, urgency: Urgency) -> Option<Waker> {
        let takes_new = |idle: &Option<Idle>| idle.as_ref().is_some_and(|idle| idle.takes_new);
        let place = self.idle.iter().position(takes_new).or_else(|| {
            let any = || self.idle.iter().position(Option::is_some);
            (urgency == Urgency::Continued).then(any).flatten()
        })?;
        self.idle[place].take().map(|idle| idle.waker)
    }
}

struct Shared {
    queue: Mutex<Queue>,
    capacity: usize,
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
            is_busy: Condvar::new(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code that can panic runs while the lock is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The two kinds of jobs. Where both wait, threads take them by turns.
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
        let threads = threads.max(1);
        executor.shared.lock().idle.resize_with(threads, || None);
        for number in 0..threads {
            let runtime = GuestRuntime(Some(thread_runtime()?));
            let shared = Arc::clone(&executor.shared);
            spawn(format!("ampoule-guest-{number}"), move || {
                if let Some(runtime) = &runtime.0 {
                    runtime.block_on(Worker::new(shared, number));
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
        F: Future<Output = Result<T>> + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let cancelled = CancellationToken::new();
        let guard = cancelled.clone().drop_guard();
        let token = cancelled.clone();
        let job = Job {
            since: Instant::now(),
            expires,
            cancelled,
            begin: Box::new(move |turn| match turn {
                Turn::Run => {
                    let work = work(token);
                    Some(Box::pin(async move {
                        // The caller may have gone; then nobody wants the result.
                        let _ = sender.send(work.await);
                    }))
                }
                Turn::Expired => {
                    let _ = sender.send(Err(Error::Deadline {
                        phase: Phase::Request,
                        allowed,
                    }));
                    None
                }
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
        if urgency == Urgency::New && queue.new.len() >= self.shared.capacity {
            return Err(Error::Busy {
                limit: Some(Limit::Queue),
                reason: format!("{} requests are waiting", queue.new.len()),
            });
        }
        queue.of(urgency).push_back(job);
        let worker = queue.idle_worker(urgency);
        drop(queue);
        // Where none is idle, one that works looks for it at the end of its turn.
        if let Some(worker) = worker {
            worker.wake();
        }
        self.shared.is_busy.notify_one();
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.is_closed = true;
        let idle = std::mem::take(&mut queue.idle);
        drop(queue);
        for idle in idle.into_iter().flatten() {
            idle.waker.wake();
        }
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

/// The clock: sleeps while there is nothing to do, ticks otherwise.
fn tick(shared: &Shared, engine: &Engine) {
    loop {
        let mut queue = shared.lock();
        while queue.is_empty() && queue.running == 0 {
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
                job.begin(Turn::Expired);
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
        let patience = if !queue.is_empty() {
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
fn take_overdue(queue: &mut Queue) -> Vec<Job> {
    let now = Instant::now();
    let is_overdue = |job: &Job| job.cancelled.is_cancelled() || now >= job.expires;
    let mut overdue = Vec::new();
    for urgency in [Urgency::New, Urgency::Continued] {
        let jobs = queue.of(urgency);
        if jobs.iter().any(is_overdue) {
            let (late, waiting): (VecDeque<_>, _) = jobs.drain(..).partition(is_overdue);
            *jobs = waiting;
            overdue.extend(late);
        }
    }
    overdue
}
