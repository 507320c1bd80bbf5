//! Settings that cannot work, refused by name before anything is allocated for them.

use std::fmt::Display;
use std::time::Duration;

use ampoule_units::{ByteSize, Fuel};

use crate::code::engine::MAX_POOLED_SANDBOXES;
use crate::error::{Error, Result};
use crate::limits::{
    Limits, MAX_BUNDLE, MAX_COMPILE_MEMORY, MAX_COMPONENT, MAX_LOADS, MAX_LOG, MAX_MEMORY,
    MAX_OUTPUT, MAX_THREADS, MAX_TIME, MAX_WAITING, MIN_COMPILE_MEMORY, MIN_MEMORY, MIN_TIME,
};

/// Refuses a value that is out of bounds. `name` is the field's, or the method's of the builder.
fn check<T: PartialOrd>(
    name: &'static str,
    value: T,
    least: T,
    most: T,
    show: impl Fn(&T) -> String,
) -> Result<()> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(Error::LimitRange {
        name: name.into(),
        found: show(&value),
        least: show(&least),
        most: show(&most),
    })
}

pub(crate) fn number<T: PartialOrd + Display>(
    name: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<()> {
    check(name, value, least, most, ToString::to_string)
}

pub(crate) fn time(name: &'static str, value: Duration) -> Result<()> {
    check(name, value, MIN_TIME, MAX_TIME, |time| format!("{time:?}"))
}

/// Refuses limits under which nothing could run, or which the machine could not keep.
pub fn check_limits(limits: &Limits) -> Result<()> {
    let byte = ByteSize::from_bytes(1);
    let (least_fuel, most_fuel) = (Fuel::new(1), Fuel::new(u64::MAX));
    number("memory", limits.memory, MIN_MEMORY, MAX_MEMORY)?;
    number("fuel", limits.fuel, least_fuel, most_fuel)?;
    time("deadline", limits.deadline)?;
    number("output", limits.output, byte, MAX_OUTPUT)?;
    number("chunks", limits.chunks, 1, u32::MAX)?;
    time("idle", limits.idle)?;
    number("init.memory", limits.init.memory, MIN_MEMORY, MAX_MEMORY)?;
    number("init.fuel", limits.init.fuel, least_fuel, most_fuel)?;
    time("init.deadline", limits.init.deadline)?;
    number(
        "compile.memory",
        limits.compile.memory,
        MIN_COMPILE_MEMORY,
        MAX_COMPILE_MEMORY,
    )?;
    time("compile.time", limits.compile.time)?;
    // A log of no bytes is a choice like any other.
    number("log", limits.log, ByteSize::from_bytes(0), MAX_LOG)?;
    number("image", limits.image, byte, MAX_BUNDLE)?;
    number("image_pixels", limits.image_pixels, 1, u64::MAX)?;
    number("images", limits.images, 1, MAX_WAITING)?;
    number("text_chars", limits.text_chars, 1, usize::MAX)?;
    number("texts", limits.texts, 1, MAX_WAITING)?;
    number("turns", limits.turns, 1, MAX_WAITING)?;
    number("component", limits.component, byte, MAX_COMPONENT)?;
    number("bundle", limits.bundle, byte, MAX_BUNDLE)?;
    number("sandboxes", limits.sandboxes, 1, MAX_POOLED_SANDBOXES)?;
    number("queue", limits.queue, 1, MAX_WAITING)?;
    number("loads", limits.loads, 1, MAX_LOADS)?;
    number("waiting_loads", limits.waiting_loads, 0, MAX_WAITING)
}

/// Refuses a number of threads that is out of bounds, by the name of its setting.
pub fn check_threads(name: &'static str, threads: Option<usize>) -> Result<()> {
    threads.map_or(Ok(()), |threads| number(name, threads, 1, MAX_THREADS))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_refused(name: &str, change: impl FnOnce(&mut Limits)) {
        let mut limits = Limits::default();
        change(&mut limits);
        let error = check_limits(&limits).unwrap_err();
        assert_eq!(error.code(), "usage.limits");
        let Error::LimitRange { name: found, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(*found, name);
        assert!(error.to_string().contains(name), "{error}");
    }

    #[test]
    fn a_limit_under_which_nothing_could_run_is_refused_by_name() {
        let none = ByteSize::from_bytes(0);
        assert_refused("memory", |limits| limits.memory = none);
        assert_refused("fuel", |limits| limits.fuel = Fuel::new(0));
        assert_refused("deadline", |limits| limits.deadline = Duration::ZERO);
        assert_refused("output", |limits| limits.output = none);
        assert_refused("chunks", |limits| limits.chunks = 0);
        assert_refused("idle", |limits| limits.idle = Duration::ZERO);
        assert_refused("init.memory", |limits| limits.init.memory = none);
        assert_refused("init.fuel", |limits| limits.init.fuel = Fuel::new(0));
        assert_refused("init.deadline", |limits| {
            limits.init.deadline = Duration::from_nanos(1);
        });
        assert_refused("compile.memory", |limits| limits.compile.memory = none);
        assert_refused("compile.time", |limits| {
            limits.compile.time = Duration::ZERO
        });
        assert_refused("image", |limits| limits.image = none);
        assert_refused("image_pixels", |limits| limits.image_pixels = 0);
        assert_refused("images", |limits| limits.images = 0);
        assert_refused("text_chars", |limits| limits.text_chars = 0);
        assert_refused("texts", |limits| limits.texts = 0);
        assert_refused("turns", |limits| limits.turns = 0);
        assert_refused("component", |limits| limits.component = none);
        assert_refused("bundle", |limits| limits.bundle = none);
        assert_refused("sandboxes", |limits| limits.sandboxes = 0);
        assert_refused("queue", |limits| limits.queue = 0);
        assert_refused("loads", |limits| limits.loads = 0);
        for threads in ["threads", "kernel_threads"] {
            let error = check_threads(threads, Some(0)).unwrap_err();
            assert!(error.to_string().contains(threads), "{error}");
        }
    }

    #[test]
    fn a_limit_that_no_machine_could_keep_is_refused_by_name() {
        let all = ByteSize::from_bytes(u64::MAX);
        assert_refused("memory", |limits| limits.memory = all);
        assert_refused("deadline", |limits| limits.deadline = Duration::MAX);
        assert_refused("deadline", |limits| {
            limits.deadline = Duration::from_secs(u64::MAX);
        });
        assert_refused("output", |limits| limits.output = all);
        assert_refused("idle", |limits| limits.idle = Duration::MAX);
        assert_refused("init.memory", |limits| limits.init.memory = all);
        assert_refused("init.deadline", |limits| {
            limits.init.deadline = Duration::MAX
        });
        assert_refused("compile.memory", |limits| limits.compile.memory = all);
        assert_refused("compile.time", |limits| limits.compile.time = Duration::MAX);
        assert_refused("log", |limits| limits.log = all);
        assert_refused("image", |limits| limits.image = all);
        assert_refused("images", |limits| limits.images = usize::MAX);
        assert_refused("texts", |limits| limits.texts = usize::MAX);
        assert_refused("turns", |limits| limits.turns = usize::MAX);
        assert_refused("component", |limits| limits.component = all);
        assert_refused("bundle", |limits| limits.bundle = all);
        assert_refused("sandboxes", |limits| limits.sandboxes = usize::MAX);
        assert_refused("queue", |limits| limits.queue = usize::MAX);
        assert_refused("loads", |limits| limits.loads = usize::MAX);
        assert_refused("waiting_loads", |limits| limits.waiting_loads = usize::MAX);
        for (name, threads) in [("threads", 10_000_000), ("kernel_threads", usize::MAX)] {
            let error = check_threads(name, Some(threads)).unwrap_err();
            assert_eq!(error.code(), "usage.limits");
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn the_presets_pass() {
        check_limits(&Limits::default()).unwrap();
        check_limits(&Limits::strict()).unwrap();
        check_threads("threads", None).unwrap();
    }
}
