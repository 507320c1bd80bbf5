//! The memory that a sandbox has for itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Interval of looks.
const PAUSE: Duration = Duration::from_millis(1);

/// Returns the most anonymous memory that this process had while `work` ran, above the memory before, in bytes: the
/// pages that a sandbox has written to. Pages of a snapshot that are only read belong to a file, and do not count.
pub(crate) fn highest_while(work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let is_over = AtomicBool::new(false);
    let before = private_bytes()?;
    let highest = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut highest = before;
            while !is_over.load(Ordering::Relaxed) {
                highest = highest.max(private_bytes()?);
                std::thread::sleep(PAUSE);
            }
            anyhow::Ok(highest)
        });
        let worked = work();
        is_over.store(true, Ordering::Relaxed);
        let highest = match watcher.join() {
            Ok(highest) => highest?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        worked.map(|()| highest)
    })?;
    Ok(highest.saturating_sub(before))
}

fn private_bytes() -> Result<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup");
    let rollup = rollup.context("the system does not say how much memory this process has")?;
    let anonymous = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"));
    let kib: u64 = anonymous
        .and_then(|rest| rest.split_whitespace().next())
        .context("the system says nothing of private memory")?
        .parse()?;
    Ok(kib * 1024)
}
