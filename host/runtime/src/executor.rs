//! The host's own threads, the bounded queue before them, and the clock that interrupts guests.
//!
//! A guest that computes never gives way, so it must not run on a thread that somebody else needs.
//! Each thread here runs one guest at a time; a timer thread advances the engine's epoch, at which
//! running guests ask whether they may go on, and ends the wait of requests whose time is up.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;

use crate::error::{Error, Phase, Result};

/// How often running guests are asked whether they may go on: a spinning guest overruns its
/// deadline by about this much.
const TICK: Duration = Duration::from_millis(1);

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
    running: usize,
    is_closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    capacity: usize,
    /// A job arrived, or the queue was closed: for the workers.
    arrived: Condvar,
    /// There is something to tick for, or the queue was closed: for the timer.
    is_busy: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code that can panic runs while the lock is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Threads that run guests. They end when this is dropped.
pub(crate) struct Executor {
    shared: Arc<Shared>,
}

impl Executor {
    /// Starts `threads` workers and the timer.
    pub(crate) fn new(engine: &Engine, threads: usize, capacity: usize) -> Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            capacity,
            arrived: Condvar::new(),
            is_busy: Condvar::new(),
        });
        // Made before any thread, so that a failure below ends those already started.
        let executor = Self { shared };
        for number in 0..threads.max(1) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(|error| Error::Thread {
                    reason: error.to_string(),
                })?;
            let shared = Arc::clone(&executor.shared);
            spawn(format!("ampoule-guest-{number}"), move || {
                work(&shared, &runtime);
            })?;
        }
        let shared = Arc::clone(&executor.shared);
        let engine = engine.clone();
        spawn("ampoule-epoch".to_owned(), move || tick(&shared, &engine))?;
        Ok(executor)
    }

    /// Runs `work` on one of the threads and waits for what it returns. Dropping the future
    /// cancels the token that `work` gets.
    ///
    /// `allowed` is what `limit.deadline` will say when the job is still waiting at `expires`.
    pub(crate) async fn run<T, W, F>(
        &self,
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
        self.submit(Job {
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
        })?;
        let result = receiver
            .await
            .unwrap_or_else(|_| Err(Error::internal("a guest's thread panicked")));
        guard.disarm();
        result
    }

    fn submit(&self, job: Job) -> Result<()> {
        let mut queue = self.shared.lock();
        if queue.jobs.len() >= self.shared.capacity {
            return Err(Error::Busy {
                reason: format!("{} requests are waiting", queue.jobs.len()),
            });
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.arrived.notify_one();
        self.shared.is_busy.notify_one();
        Ok(())
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.arrived.notify_all();
        self.shared.is_busy.notify_all();
    }
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name)
        .spawn(body)
        .map(drop)
        .map_err(|error| Error::Thread {
            reason: error.to_string(),
        })
}

/// A worker: one job after another, until the queue is closed.
fn work(shared: &Shared, runtime: &Runtime) {
    let mut queue = shared.lock();
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            queue.running += 1;
            drop(queue);
            if !job.cancelled.is_cancelled() {
                // A panic is a bug of ours or of the engine; the thread survives it, the job's
                // sandbox is dropped with it, and the caller is told `internal.bug`.
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    if Instant::now() >= job.expires {
                        (job.work)(Turn::Expired);
                    } else {
                        (job.work)(Turn::Run(runtime));
                    }
                }));
            }
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

/// The timer: sleeps while there is nothing to do, ticks otherwise.
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
        let overdue = take_overdue(&mut queue);
        drop(queue);
        for job in overdue {
            if !job.cancelled.is_cancelled() {
                let _ = catch_unwind(AssertUnwindSafe(|| (job.work)(Turn::Expired)));
            }
        }
        thread::sleep(TICK);
        engine.increment_epoch();
    }
}

/// Takes out of the queue what nobody waits for any more, and what has waited too long.
fn take_overdue(queue: &mut Queue) -> Vec<Job> {
    let now = Instant::now();
    let is_overdue = |job: &Job| job.cancelled.is_cancelled() || now >= job.expires;
    if !queue.jobs.iter().any(is_overdue) {
        return Vec::new();
    }
    let (overdue, waiting) = queue.jobs.drain(..).partition(is_overdue);
    queue.jobs = waiting;
    Vec::from_iter::<VecDeque<Job>>(overdue)
}
