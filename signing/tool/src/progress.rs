//! A bar on the terminal while a bundle's files are read; nothing in a pipe.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ampoule_signing::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Longest work that shows no progress.
const PATIENCE: Duration = Duration::from_millis(500);
/// The time between two drawings of the bar.
const FRAME: Duration = Duration::from_millis(100);

/// The bar's line. It is short enough for 80 columns: a line that wraps is not removed whole.
const TEMPLATE: &str =
    "{msg} {bar:16} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left";

/// Shows a progress bar until it is dropped.
pub(crate) struct Shown {
    progress: Progress,
    thread: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl Shown {
    /// Starts a bar with a word for the work.
    pub(crate) fn begin(what: &'static str) -> Self {
        let progress = Progress::default();
        let read = progress.clone();
        let (done, waiting) = mpsc::channel::<()>();
        let ticks = move |wait| waiting.recv_timeout(wait) == Err(RecvTimeoutError::Timeout);
        let thread = std::thread::Builder::new().spawn(move || {
            if !ticks(PATIENCE) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            bar.set_message(what);
            // Nothing to show before something is to be read.
            while read.total() == 0 {
                if !ticks(FRAME) {
                    return;
                }
            }
            bar.set_length(read.total());
            // Indicatif draws only when standard error is a terminal.
            bar.set_draw_target(ProgressDrawTarget::stderr());
            while ticks(FRAME) {
                bar.set_length(read.total());
                bar.set_position(read.done());
            }
            bar.finish_and_clear();
        });
        Self {
            progress,
            // That the system gave no thread concerns only the picture.
            thread: Mutex::new(thread.ok().map(|thread| (done, thread))),
        }
    }

    /// Returns the counter that the bar shows, for the reader to count into.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Takes the bar away, before somebody is asked something.
    pub(crate) fn end(&self) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((done, thread)) = thread {
            drop(done);
            // It ends at once; a panic in it concerns only the picture.
            let _ = thread.join();
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.end();
    }
}
