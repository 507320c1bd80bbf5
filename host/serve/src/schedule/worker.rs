//! One of the threads that run guests, and the order in which it does so.
//!
//! A thread has begun at most one new request at a time, and any number of next steps of requests that have a
//! sandbox already. It gives them turns:
//!
//! * A continued request comes before a new one, and interrupts it at the next tick: a caller reads along, and each
//!   chunk would otherwise wait behind a part of the queue. After [`CONTINUED_TURNS`] turns of continued requests a new
//!   one has a turn, where there is any, so a request begins however many generations there are.
//! * Of continued requests it is the turn of what has waited longest. Of new ones each tenant has its turn.
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

/// Turns of continued requests in a row, while new requests wait. With [`TURN`] this is the share of a thread that streams
/// cannot take from new requests: a fifth.
const CONTINUED_TURNS: u32 = 4;

/// A thread's work, for as long as the host lives.
pub(super) struct Worker {
    shared: Arc<Shared>,
    number: usize,
    begun: Vec<Begun>,
    /// Turns of continued requests since the last of a new one.
    continued_turns: u32,
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
            continued_turns: 0,
        }
    }

    /// Chooses who has the next turn; with nobody there, leaves `waker` to be woken by.
    fn next(&self, waker: &Waker) -> Next {
        let mut queue = self.shared.lock();
        if let Some(place) = queue.idle.get_mut(self.number) {
            *place = None;
        }
        let order = if self.continued_turns < CONTINUED_TURNS {
            [Urgency::Continued, Urgency::New]
        } else {
            [Urgency::New, Urgency::Continued]
        };
        for urgency in order {
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
        let may_begin = urgency == Urgency::Continued || self.takes_new();
        let since = queue.next_since(urgency).filter(|_| may_begin);
        if let Some((place, begun)) = ready
            && since.is_none_or(|since| begun.since <= since)
        {
            return Some(Next::Resume(place));
        }
        since?;
        let job = queue.pop(urgency)?;
        queue.begun(urgency);
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
            self.shared.job_ended(urgency);
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
        // A new request whose turn has come after many of the others has all of it.
        let gives_way = begun.urgency == Urgency::New && self.continued_turns < CONTINUED_TURNS;
        self.continued_turns = match begun.urgency {
            Urgency::New => 0,
            Urgency::Continued => self.continued_turns.saturating_add(1),
        };
        begun.wakeup.is_ready.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&begun.wakeup));
        let slice = Slice {
            ends: Instant::now() + TURN,
            gives_way,
            others: self.begun.iter().map(Begun::other).collect(),
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
        self.shared.job_ended(begun.urgency);
    }
}

impl Begun {
    fn other(&self) -> (Urgency, Arc<Wakeup>) {
        (self.urgency, Arc::clone(&self.wakeup))
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
    /// A continued request interrupts the job at once.
    gives_way: bool,
    /// The other jobs that have begun here.
    others: Vec<(Urgency, Arc<Wakeup>)>,
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
        let is_due = Instant::now() >= self.ends;
        if !is_due && !self.gives_way {
            return false;
        }
        let is_other = |(urgency, wakeup): &(Urgency, Arc<Wakeup>)| {
            (is_due || *urgency == Urgency::Continued) && wakeup.is_ready.load(Ordering::Acquire)
        };
        if self.others.iter().any(is_other) {
            return true;
        }
        let queue = self.shared.lock();
        !queue.continued.is_empty() || (is_due && self.takes_new && !queue.new.is_empty())
    }
}
