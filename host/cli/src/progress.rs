//! Shows a line on the terminal during long work; nothing in a pipe.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Longest work that shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two pictures of the spinner.
const FRAME: Duration = Duration::from_millis(100);

/// Shows `what` with the elapsed time until `work` is done, if that takes over a second and
/// standard error is a terminal.
pub(crate) async fn show<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    let shown = bar.clone();
    let (done, waiting) = mpsc::channel::<()>();
    // A thread, because the runtime here has nothing but the work to wait for.
    let ticks = move |interval| waiting.recv_timeout(interval) == Err(RecvTimeoutError::Timeout);
    let thread = std::thread::Builder::new().spawn(move || {
        if ticks(PATIENCE) {
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                shown.set_style(style);
            }
            // Indicatif draws only when standard error is a terminal.
            shown.set_draw_target(ProgressDrawTarget::stderr());
            shown.set_message(what);
            while ticks(FRAME) {
                shown.tick();
            }
        }
        shown.finish_and_clear();
    });
    let result = work.await;
    drop(done);
    // It ends at once; a panic in it, or that the system gave none, concerns only the picture.
    let _ = thread.map(JoinHandle::join);
    result
}
