//! The watcher of a host: one thread that has every watched place looked at each second, and whenever it is asked to.
//!
//! The thread itself touches no file. A look is done by a thread of [`Lookers`], one place after the other, and a look
//! that hangs holds up the others for no longer than [`PATIENCE`]. An [`Update`] that a look finds to do is a future,
//! which the thread drives beside all others.

use std::iter;
use std::pin::Pin;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use ampoule_sandbox::guest::store::thread_runtime;
use ampoule_sandbox::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::lookers::{Lookers, PATIENCE};

/// Time between two looks at one place: soon enough for people who put something in place and wait for it, and
/// seldom enough that a look may open a few files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Callers that may ask for a look at one place before the next has to wait to be heard.
const MAX_ASKING: usize = 64;

/// Reason for a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A second has passed.
    Second,
    /// Somebody wants to know.
    Asked,
}

/// Work that a look found to do. The place is not looked at before it is done.
pub(crate) type Update = Pin<Box<dyn Future<Output = ()> + Send>>;

type Look = Box<dyn FnMut(Occasion) -> Option<Update> + Send>;

/// A caller who waits for a look and for all that comes of it.
type Asker = oneshot::Sender<Result<()>>;

/// Watches places. It has a thread for as long as there is a [`Watch`], and no longer.
#[derive(Default)]
pub(crate) struct Watcher(Mutex<Weak<Thread>>);

/// One watched place. Dropping it ends the watching, and stops an update.
pub(crate) struct Watch {
    asking: mpsc::Sender<Asker>,
    task: AbortHandle,
    _thread: Arc<Thread>,
}

/// The watcher's thread, which ends when this is dropped.
struct Thread {
    handle: Handle,
    lookers: Lookers,
    /// All places are looked at together, so that one thread does all looks of a second.
    first_look: Instant,
    _end: DropGuard,
}

impl Watcher {
    /// Watches a place by `look` from now on.
    ///
    /// # Errors
    ///
    /// `io.thread`.
    pub(crate) fn watch(
        &self,
        look: impl FnMut(Occasion) -> Option<Update> + Send + 'static,
    ) -> Result<Watch> {
        let thread = self.thread()?;
        let (asking, asked) = mpsc::channel(MAX_ASKING);
        let place = Place {
            look: Arc::new(Mutex::new(Box::new(look))),
            lookers: thread.lookers.clone(),
        };
        let watching = thread.handle.spawn(place.watch(asked, thread.first_look));
        Ok(Watch {
            asking,
            task: watching.abort_handle(),
            _thread: thread,
        })
    }

    fn thread(&self) -> Result<Arc<Thread>> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = current.upgrade() {
            return Ok(thread);
        }
        let thread = Arc::new(Thread::start()?);
        *current = Arc::downgrade(&thread);
        Ok(thread)
    }
}

impl Thread {
    fn start() -> Result<Self> {
        let end = CancellationToken::new();
        let ended = end.clone();
        // The thread first: a runtime may not be dropped where its caller may be within another.
        let (sender, receiver) = sync_channel::<tokio::runtime::Runtime>(1);
        thread::Builder::new()
            .name("ampoule-watch".to_owned())
            .spawn(move || {
                if let Ok(runtime) = receiver.recv() {
                    runtime.block_on(ended.cancelled());
                }
            })
            .map_err(|error| Error::thread(&error))?;
        let runtime = thread_runtime()?;
        let handle = runtime.handle().clone();
        let ended = sender.send(runtime);
        ended.map_err(|_| Error::internal("the thread that watches has panicked"))?;
        Ok(Self {
            handle,
            lookers: Lookers::default(),
            first_look: Instant::now() + LOOK_EVERY,
            _end: end.drop_guard(),
        })
    }
}

impl Watch {
    /// Has the place looked at, and waits for what comes of it.
    ///
    /// # Errors
    ///
    /// `io.thread`, and `internal.bug` after a panic.
    pub(crate) async fn look_now(&self) -> Result<()> {
        let gone = || Error::internal("the thread that watches has panicked");
        let (asker, answer) = oneshot::channel();
        self.asking.send(asker).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A watched place, as its task on the watcher's thread sees it.
struct Place {
    look: Arc<Mutex<Look>>,
    lookers: Lookers,
}

impl Place {
    async fn watch(self, mut asked: mpsc::Receiver<Asker>, first_look: Instant) {
        let mut seconds = interval_at(first_look, LOOK_EVERY);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let (occasion, askers) = tokio::select! {
                biased;
                first = asked.recv() => {
                    let Some(first) = first else {
                        return;
                    };
                    // One look is for all who have asked by now, and none for those who have gone.
                    let askers = iter::once(first).chain(iter::from_fn(|| asked.try_recv().ok()));
                    let waiting: Vec<_> = askers.filter(|asker| !asker.is_closed()).collect();
                    if waiting.is_empty() {
                        continue;
                    }
                    (Occasion::Asked, waiting)
                }
                _ = seconds.tick() => (Occasion::Second, Vec::new()),
            };
            let done = self.look(occasion).await;
            if let Err(error) = &done {
                tracing::error!(
                    target: "ampoule::load",
                    code = error.code(), %error,
                    "a watched place could not be looked at"
                );
            }
            for asker in askers {
                // Who asked may have stopped waiting.
                let _ = asker.send(done.clone());
            }
        }
    }

    /// Looks once, and does what the look found to do. A panic is survived: a bug in one look must not be the end of
    /// looking.
    async fn look(&self, occasion: Occasion) -> Result<()> {
        let panicked = || Error::internal("a look for changes panicked");
        let (sender, mut found) = oneshot::channel();
        let look = Arc::clone(&self.look);
        self.lookers.add(Box::new(move || {
            let mut look = look.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody waits where watching has ended.
            let _ = sender.send(look(occasion));
        }))?;
        let found = loop {
            match timeout(PATIENCE, &mut found).await {
                Ok(found) => break found.map_err(|_| panicked())?,
                Err(_) => self.lookers.relieve(),
            }
        };
        let Some(update) = found else {
            return Ok(());
        };
        // Unlike a plain task, one of a set ends with whoever waits for it.
        let mut updates = JoinSet::new();
        updates.spawn(update);
        match updates.join_next().await {
            Some(Err(_)) => Err(panicked()),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    fn counting(watcher: &Watcher) -> (Watch, Arc<AtomicUsize>) {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        let watch = watcher.watch(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            None
        });
        (watch.unwrap(), looks)
    }

    #[tokio::test]
    async fn a_look_that_hangs_delays_no_other_place() {
        let watcher = Watcher::default();
        let (release, hanging) = channel::<()>();
        let (began, has_begun) = oneshot::channel();
        let mut began = Some(began);
        let hangs = watcher.watch(move |_| {
            if let Some(began) = began.take() {
                began.send(()).unwrap();
            }
            let _ = hanging.recv();
            None
        });
        let hangs = hangs.unwrap();
        has_begun.await.unwrap();
        let (watch, looks) = counting(&watcher);
        for _ in 0..3 {
            timeout(Duration::from_secs(30), watch.look_now())
                .await
                .unwrap()
                .unwrap();
        }
        // By themselves, too.
        let asked = looks.load(Ordering::SeqCst);
        while looks.load(Ordering::SeqCst) < asked + 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(release);
        hangs.look_now().await.unwrap();
    }

    #[tokio::test]
    async fn an_update_that_takes_long_delays_no_other_place() {
        let watcher = Watcher::default();
        let (began, mut has_begun) = mpsc::channel(1);
        let updates = watcher.watch(move |_| {
            let began = began.clone();
            Some(Box::pin(async move {
                began.send(()).await.unwrap();
                std::future::pending::<()>().await;
            }))
        });
        let updates = updates.unwrap();
        has_begun.recv().await.unwrap();
        let (watch, _) = counting(&watcher);
        watch.look_now().await.unwrap();
        // And ends with whoever watches.
        drop(updates);
        assert!(has_begun.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_panic_in_a_look_or_in_what_comes_of_it_is_survived() {
        let watcher = Watcher::default();
        let mut looks = 0;
        let watch = watcher.watch(move |occasion| {
            looks += usize::from(occasion == Occasion::Asked);
            match looks {
                1 => panic!("in the look"),
                2 => Some(Box::pin(async { panic!("in the update") })),
                _ => None,
            }
        });
        let watch = watch.unwrap();
        for _ in 0..2 {
            assert_eq!(watch.look_now().await.unwrap_err().code(), "internal.bug");
        }
        watch.look_now().await.unwrap();
    }

    #[tokio::test]
    async fn the_thread_ends_with_the_last_place() {
        let watcher = Watcher::default();
        let (first, _) = counting(&watcher);
        let (second, _) = counting(&watcher);
        let thread = || watcher.0.lock().unwrap().upgrade();
        drop(first);
        second.look_now().await.unwrap();
        assert!(thread().is_some());
        drop(second);
        assert!(thread().is_none());
        counting(&watcher).0.look_now().await.unwrap();
    }
}
