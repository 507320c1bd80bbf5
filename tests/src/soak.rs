//! Good, bad and hostile requests in random order, for minutes: nothing may leak, no answer may be wrong, and
//! at the end no permit and no thread may be lost.

mod attacks;
mod bundles;
mod chance;
mod changes;
mod curve;
mod hostile_models;
mod models;
mod outcome;
mod report;
mod requests;
mod world;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{RwLock, RwLockReadGuard};
use tokio::task::LocalSet;

use crate::hosts::block_on;
use crate::process::resident_bytes;
use chance::Chance;
use curve::Curve;
use outcome::Outcome;
pub use report::SoakReport;
use world::World;

/// Callers at once, each of which waits for an answer before it asks again.
const CALLERS: u64 = 8;

/// Interval of looks at the memory.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Interval of moments in which all callers wait: the memory of running requests is not counted as a leak.
const REST_EVERY: Duration = Duration::from_secs(5);

/// Time in which the host's threads unmap the last requests' sandboxes.
const REST: Duration = Duration::from_millis(200);

/// Returns the least number of looks at the idle host's memory: one shows no growth, and two no slope.
fn least_rests(duration: Duration) -> usize {
    if duration < Duration::from_secs(60) {
        2
    } else {
        5
    }
}

/// Runs for `duration` after `warm_up`, in the order that `seed` gives.
///
/// # Panics
///
/// If the models cannot be loaded.
#[must_use]
pub fn soak(warm_up: Duration, duration: Duration, seed: u64) -> SoakReport {
    block_on(LocalSet::new().run_until(run(warm_up, duration, seed)))
}

async fn run(warm_up: Duration, duration: Duration, seed: u64) -> SoakReport {
    let world = Rc::new(World::new().await);
    let report = Rc::new(RefCell::new(SoakReport::new(seed)));
    // Held for reading by a request, for writing by a moment of rest.
    let asking = Rc::new(RwLock::new(()));
    let began = Instant::now();
    let end = began + warm_up + duration;

    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let (world, report, asking) = (world.clone(), report.clone(), asking.clone());
            let mut chance = Chance::new(seed, number);
            tokio::task::spawn_local(async move {
                while Instant::now() < end {
                    let _asking: RwLockReadGuard<'_, ()> = asking.read().await;
                    let outcome = world.step(&mut chance).await;
                    report.borrow_mut().count(outcome);
                }
            })
        })
        .collect();

    let (mut curve, mut at_rest) = (Curve::default(), Curve::default());
    let mut next_rest = began + warm_up;
    while Instant::now() < end {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = Instant::now();
        if now < next_rest {
            if now >= began + warm_up {
                curve.add(began.elapsed(), resident_bytes());
            }
            continue;
        }
        curve.add(began.elapsed(), resident_bytes());
        let _nobody_asks = asking.write().await;
        if Instant::now() >= end {
            // The last rest comes below; nothing would be asked between the two.
            break;
        }
        tokio::time::sleep(REST).await;
        at_rest.add(began.elapsed(), resident_bytes());
        next_rest = now + REST_EVERY;
    }
    for caller in callers {
        caller.await.unwrap();
    }
    tokio::time::sleep(REST).await;
    at_rest.add(began.elapsed(), resident_bytes());
    let lost = world.losses().await;
    let mut report = Rc::into_inner(report).unwrap().into_inner();
    report.finish(curve, at_rest, lost, least_rests(duration));
    report.busy = world.busy();
    report
}

impl World {
    /// Takes one step of a caller: a request, an attack, a change.
    async fn step(&self, chance: &mut Chance) -> Outcome {
        match chance.below(100) {
            0..40 => self.good(chance).await,
            40..52 => self.bad(chance).await,
            52..76 => self.hostile(chance).await,
            76..84 => self.cancelled(chance).await,
            84..94 => self.abandoned(chance).await,
            94..95 => self.storm(chance).await,
            95..97 => self.built_in(chance).await,
            97..99 => self.change_trust().await,
            _ => self.change_models(chance).await,
        }
    }
}
