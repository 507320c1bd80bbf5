//! A thread that looks at something every second, and whenever it is told to.

use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use ampoule_sandbox::{Error, Result};

/// How often the thread looks: soon enough for people who put something in place and wait for it, and
/// seldom enough that a look may open a few files.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why the thread looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A second has passed.
    Second,
    /// Somebody wants to know.
    Asked,
}

/// The thread. It ends when this is dropped, at once, or after the look that it is taking.
pub(crate) struct Watch {
    asking: Sender<oneshot::Sender<()>>,
}

impl Watch {
    /// Starts a thread of this name, of 15 bytes at most.
    pub(crate) fn start(name: &str, look: impl FnMut(Occasion) + Send + 'static) -> Result<Self> {
        let (asking, asked) = channel();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || watch(&asked, look))
            .map_err(|error| Error::thread(&error))?;
        Ok(Self { asking })
    }

    /// Has the thread look, and waits until it has.
    pub(crate) async fn look_now(&self) -> Result<()> {
        let gone = || Error::internal("the thread that looks for changes has panicked");
        let (looked, wait) = oneshot::channel();
        self.asking.send(looked).map_err(|_| gone())?;
        wait.await.map_err(|_| gone())
    }
}

fn watch(asked: &Receiver<oneshot::Sender<()>>, mut look: impl FnMut(Occasion)) {
    loop {
        let (occasion, askers) = match asked.recv_timeout(LOOK_EVERY) {
            Ok(first) => {
                // One look is for all who have asked by now, and none for those who have gone.
                let askers = iter::once(first).chain(asked.try_iter());
                let waiting: Vec<_> = askers.filter(|asker| !asker.is_closed()).collect();
                if waiting.is_empty() {
                    continue;
                }
                (Occasion::Asked, waiting)
            }
            Err(RecvTimeoutError::Timeout) => (Occasion::Second, Vec::new()),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // A bug in one look must not be the end of looking.
        if catch_unwind(AssertUnwindSafe(|| look(occasion))).is_err() {
            tracing::error!(target: "ampoule::bug", code = "internal.bug", "a look for changes panicked");
        } else {
            for asker in askers {
                // Who asked may have stopped waiting.
                let _ = asker.send(());
            }
        }
    }
}
