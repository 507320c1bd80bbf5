//! The host's own threads, the bounded queue before them, and the clock that interrupts guests.
//!
//! A guest that computes gives way to nobody but another guest, so it must not run on a thread that somebody else
//! needs. How the workers here take turns is in `worker.rs`. The clock thread does nothing but advance the engine's
//! epoch, at which running guests ask whether they may go on: every deadline hangs on it. The reaper
//! ends the wait of requests whose time is up and drops what is left of sandboxes, which takes
//! milliseconds each and must delay neither the clock nor an embedder.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ampoule_sandbox::guest::store::{TICK, thread_runtime};
use ampoule_sandbox::{Error, Limit, Phase, Result};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;

use crate::schedule::chores::Chore;
use crate::schedule::queue::{Job, Queue, Shared, Tenant, Turn, Urgency};
use crate::schedule::worker::Worker;

/// Threads that run guests. They end when this is dropped.
pub(crate) struct Executor {
    shared: Arc<Shared>,
    /// Cancelled when everything is to stop.
    stopped: CancellationToken,
}

/// The longest sleep of a reaper that has nothing to wait for. Whatever comes wakes it.
const LONG_SLEEP: Duration = Duration::from_secs(3600);

impl Executor {
    /// Starts `threads` workers, the clock and the reaper.
    pub(crate) fn new(engine: &Engine, threads: usize, capacity: usize) -> Result<Self> {
        // Made before any thread, so that a failure below ends those already started.
        let executor = Self {
            shared: Arc::new(Shared::new(capacity)),
            stopped: CancellationToken::new(),
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
        tenant: &Tenant,
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
        let cancelled = self.stopped.child_token();
        let (token, guarded) = (cancelled.clone(), cancelled.clone());
        let job = Job {
            since: Instant::now(),
            expires,
            cancelled,
            tenant: tenant.clone(),
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
                Turn::GivenWay => {
                    let _ = sender.send(Err(Error::Busy {
                        limit: Some(Limit::Queue),
                        reason: "the queue is full, and callers that wait with less have come"
                            .to_owned(),
                    }));
                    None
                }
            }),
        };
        self.submit(urgency, job)?;
        let guard = Waiting {
            cancelled: guarded,
            shared: Some(&self.shared),
        };
        let result = receiver
            .await
            .unwrap_or_else(|_| Err(Error::internal("a guest's thread panicked")));
        guard.disarm();
        if result.is_err() && self.stopped.is_cancelled() {
            return Err(shut_down());
        }
        result
    }

    fn submit(&self, urgency: Urgency, job: Job) -> Result<()> {
        let mut queue = self.shared.lock();
        let mut given_way = None;
        if urgency == Urgency::New {
            if queue.is_draining {
                return Err(shut_down());
            }
            if queue.new.len() >= self.shared.capacity {
                given_way = queue.new.give_way_to(&job.tenant);
                if given_way.is_none() {
                    return Err(Error::Busy {
                        limit: Some(Limit::Queue),
                        reason: format!("{} requests are waiting", queue.new.len()),
                    });
                }
            }
        }
        let expires = job.expires;
        queue.push(urgency, job);
        let worker = queue.idle_worker(urgency);
        let wakes_reaper = queue.reaper_wakes.is_some_and(|wakes| expires < wakes);
        drop(queue);
        // Where none is idle, one that works looks for it at the end of its turn.
        if let Some(worker) = worker {
            worker.wake();
        }
        self.shared.is_busy.notify_one();
        if wakes_reaper {
            self.shared.changed.notify_one();
        }
        if let Some(job) = given_way {
            job.begin(Turn::GivenWay);
        }
        Ok(())
    }

    /// Returns how many new requests wait, how many continued ones do, and how many jobs have begun.
    pub(crate) fn lengths(&self) -> QueueLengths {
        let queue = self.shared.lock();
        QueueLengths {
            waiting: queue.new.len(),
            continued: queue.continued.len(),
            running: queue.running,
        }
    }

    /// Accepts no new request from now on. Those that were accepted go on.
    pub(crate) fn begin_draining(&self) {
        self.shared.lock().is_draining = true;
    }

    /// Waits until no new request waits or runs.
    pub(crate) async fn has_no_new(&self) {
        loop {
            let changed = self.shared.no_new.notified();
            let mut changed = std::pin::pin!(changed);
            // Whoever changes it from here on wakes this.
            changed.as_mut().enable();
            if self.shared.lock().has_no_new() {
                return;
            }
            changed.await;
        }
    }

    /// Stops whatever waits or runs. Its callers are told that the host was shut down.
    pub(crate) fn stop(&self) {
        self.begin_draining();
        self.stopped.cancel();
        self.shared.wake_reaper();
    }
}

/// The jobs of an executor at one moment.
pub(crate) struct QueueLengths {
    pub(crate) waiting: usize,
    pub(crate) continued: usize,
    pub(crate) running: usize,
}

fn shut_down() -> Error {
    Error::Busy {
        limit: None,
        reason: "it is being shut down".to_owned(),
    }
}

/// Drop guard: a caller that stops waiting cancels its job, and has the reaper take it out of the queue.
struct Waiting<'e> {
    cancelled: CancellationToken,
    shared: Option<&'e Shared>,
}

impl Waiting<'_> {
    fn disarm(mut self) {
        self.shared = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared {
            self.cancelled.cancel();
            shared.wake_reaper();
        }
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
        #[cfg(test)]
        {
            queue.looks += 1;
        }
        let is_closed = queue.is_closed;
        let (jobs, chores) = (take_overdue(&mut queue), queue.chores.take_due(is_closed));
        if !jobs.is_empty() || !chores.is_empty() {
            drop(queue);
            for job in jobs {
                job.begin(Turn::Expired);
            }
            // The last new request may have been among them.
            shared.tell_if_no_new();
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
        // Whatever comes that is due earlier, or is cancelled, wakes the reaper.
        let due = queue
            .first_expiry()
            .into_iter()
            .chain(queue.chores.next_due());
        let due = due.min().unwrap_or_else(|| Instant::now() + LONG_SLEEP);
        queue.reaper_wakes = Some(due);
        let patience = due.saturating_duration_since(Instant::now());
        queue = shared
            .changed
            .wait_timeout(queue, patience)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        queue.reaper_wakes = None;
    }
}

/// Takes out of the queue what nobody waits for any more, and what has waited too long.
fn take_overdue(queue: &mut Queue) -> Vec<Job> {
    let now = Instant::now();
    let is_overdue = |job: &Job| job.cancelled.is_cancelled() || now >= job.expires;
    let mut overdue = queue.new.take_if(is_overdue);
    if queue.continued.iter().any(is_overdue) {
        let (late, waiting): (VecDeque<_>, _) = queue.continued.drain(..).partition(is_overdue);
        queue.continued = waiting;
        overdue.extend(late);
    }
    overdue
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    async fn run(
        executor: &Executor,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        let expires = Instant::now() + LONG;
        let work = move |_| work;
        executor.run(Urgency::New, &None, expires, LONG, work).await
    }

    #[tokio::test]
    async fn the_reaper_sleeps_while_requests_wait_and_wakes_for_one_that_nobody_waits_for() {
        let executor = Arc::new(Executor::new(&Engine::default(), 1, 10).unwrap());
        let (release, released) = oneshot::channel::<()>();
        let first = tokio::spawn({
            let executor = Arc::clone(&executor);
            async move {
                let work = async move {
                    let _ = released.await;
                    Ok(())
                };
                run(&executor, work).await
            }
        });
        let second = tokio::spawn({
            let executor = Arc::clone(&executor);
            async move { run(&executor, async { Ok(()) }).await }
        });
        while executor.lengths().waiting == 0 {
            tokio::task::yield_now().await;
        }
        let looks = || executor.shared.lock().looks;
        let before = looks();
        tokio::time::sleep(Duration::from_millis(100)).await;
        // It may have looked once for the job that had just come.
        assert!(looks() - before <= 2, "{} looks", looks() - before);

        second.abort();
        while executor.lengths().waiting > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
    }
}
