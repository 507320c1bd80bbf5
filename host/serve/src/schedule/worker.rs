//! One of the threads that run guests, and the order in which it does so.
//!
//! A thread has begun at most one new request at a time, and any number of next steps of requests that have a
//! sandbox already. It gives them turns:
//!
//! * New requests and continued ones have every other turn, where there are both. So a generation that has begun
//!   gets on however many requests come after it, and a request begins however many generations there are.
//! * Of each kind it is the turn of what has waited longest. Steps that came later do not overtake one that takes
//!   long.
//! * A turn ends after [`TURN`] if anything else could have one, and else goes on.
//!
//! A guest that waits for something has no turn until that has come.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use ampoule_sandbox::guest::store::TICK;

use crate::schedule::queue::{Idle, Job, Queue, Running, Shared, Turn, Urgency};

/// The shortest turn of a guest that computes. What changing guests costs, some microseconds and what the
/// processor's caches held, is little beside it, and a chunk that is ready to come waits for it.
const TURN: Duration = TICK.saturating_mul(2);

/// A thread's work, for as long as the host lives.
pub(super) struct Worker {
    shared: Arc<Shared>,
    number: usize,
    begun: Vec<Begun>,
    /// The kind that had the last turn.
    last: Urgency,
}

/// A job that has begun on this thread.
struct Begun {
    urgency: Urgency,
    /// The end of its last turn.
    since: Instant,
    task: Running,
    wakeup: Arc<Wakeup>,
}

/// A job's own waker: it tells the thread which of its jobs can go on.
struct Wakeup {
    is_ready: AtomicBool,
    worker: Waker,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_ready.store(true, Ordering::Release);
        self.worker.wake_by_ref();
    }
}

/// The work of the next turn.
enum Next {
    /// The job in this place goes on.
    Resume(usize),
    /// This one begins.
    Begin(Job, Urgency),
    /// There is nothing to do.
    Wait,
    /// There will be nothing to do any more.
    End,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, number: usize) -> Self {
        Self {
            shared,
            number,
            begun: Vec::new(),
            last: Urgency::New,
        }
    }

    /// Chooses who has the next turn; with nobody there, leaves `waker` to be woken by.
    fn next(&self, waker: &Waker) -> Next {
        let mut queue = self.shared.lock();
        if let Some(place) = queue.idle.get_mut(self.number) {
            *place = None;
        }
        let other = match self.last {
            Urgency::New => Urgency::Continued,
            Urgency::Continued => Urgency::New,
        };
        for urgency in [other, self.last] {
            if let Some(next) = self.next_of(urgency, &mut queue) {
                return next;
            }
        }
        if queue.is_closed && self.begun.is_empty() {
            return Next::End;
        }
        let idle = Idle {
            waker: waker.clone(),
            takes_new: self.takes_new(),
        };
        if let Some(place) = queue.idle.get_mut(self.number) {
            *place = Some(idle);
        }
        Next::Wait
    }

    /// Chooses what has waited longest of one kind.
    fn next_of(&self, urgency: Urgency, queue: &mut Queue) -> Option<Next> {
        let begun = self.begun.iter().enumerate();
        let ready = begun
            .filter(|(_, begun)| begun.urgency == urgency)
            .filter(|(_, begun)| begun.wakeup.is_ready.load(Ordering::Acquire))
            .min_by_key(|(_, begun)| begun.since);
        let waiting = queue.of(urgency);
        let may_begin = urgency == Urgency::Continued || self.takes_new();
        let since = waiting.front().filter(|_| may_begin).map(|job| job.since);
        if let Some((place, begun)) = ready
            && since.is_none_or(|since| begun.since <= since)
        {
            return Some(Next::Resume(place));
        }
        since?;
        let job = waiting.pop_front()?;
        queue.running += 1;
        Some(Next::Begin(job, urgency))
    }

    /// Tells whether another new request may begin here.
    fn takes_new(&self) -> bool {
        let mut begun = self.begun.iter();
        !begun.any(|begun| begun.urgency == Urgency::New)
    }

    fn begin(&mut self, job: Job, urgency: Urgency, waker: &Waker) {
        let turn = if Instant::now() >= job.expires {
            Turn::Expired
        } else {
            Turn::Run
        };
        let Some(task) = job.begin(turn) else {
            self.shared.lock().running -= 1;
            return;
        };
        self.give_turn(Begun {
            urgency,
            since: Instant::now(),
            task,
            wakeup: Arc::new(Wakeup {
                is_ready: AtomicBool::new(false),
                // The thread has one task, so this waker stays the right one.
                worker: waker.clone(),
            }),
        });
    }

    /// Runs a job until its turn is over, it waits for something, or it is done. A panic is a bug of ours or of
    /// the engine; the thread survives it, and the job's sandbox goes with it.
    fn give_turn(&mut self, mut begun: Begun) {
        self.last = begun.urgency;
        begun.wakeup.is_ready.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&begun.wakeup));
        let slice = Slice {
            ends: Instant::now() + TURN,
            has_others: !self.begun.is_empty(),
            takes_new: begun.urgency == Urgency::Continued && self.takes_new(),
            shared: Arc::clone(&self.shared),
        };
        SLICE.set(Some(slice));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            begun.task.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        SLICE.set(None);
        if let Ok(Poll::Pending) = polled {
            begun.since = Instant::now();
            self.begun.push(begun);
            return;
        }
        let _ = catch_unwind(AssertUnwindSafe(|| drop(begun.task)));
        self.shared.lock().running -= 1;
    }
}

impl Future for Worker {
    type Output = ();

    /// Gives one turn. The thread's timers have theirs between two, so that guests which wait are not forgotten
    /// for those that compute.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let worker = self.get_mut();
        let waker = context.waker();
        match worker.next(waker) {
            Next::Resume(place) => {
                let begun = worker.begun.swap_remove(place);
                worker.give_turn(begun);
            }
            Next::Begin(job, urgency) => worker.begin(job, urgency, waker),
            Next::Wait => return Poll::Pending,
            Next::End => return Poll::Ready(()),
        }
        waker.wake_by_ref();
        Poll::Pending
    }
}

/// The turn that this thread gives at the moment.
struct Slice {
    ends: Instant,
    /// There are other jobs that have begun here.
    has_others: bool,
    /// A new request could begin beside the job.
    takes_new: bool,
    shared: Arc<Shared>,
}

thread_local! {
    static SLICE: RefCell<Option<Slice>> = const { RefCell::new(None) };
}

/// Tells whether the guest that runs on this thread should give way, because it has had its turn and something
/// else could have one. Never, where guests run without an `Executor`.
pub(crate) fn is_turn_over() -> bool {
    SLICE.with_borrow(|slice| slice.as_ref().is_some_and(Slice::is_over))
}

impl Slice {
    fn is_over(&self) -> bool {
        if Instant::now() < self.ends {
            return false;
        }
        if self.has_others {
            return true;
        }
        let queue = self.shared.lock();
        !queue.continued.is_empty() || (self.takes_new && !queue.new.is_empty())
    }
}
