//! Good, bad and hostile requests in random order, for minutes: nothing may leak, no answer may be wrong, and
//! at the end every place and every thread has to be there.

mod attacks;
mod chance;
mod changes;
mod curve;
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
pub use report::SoakReport;
use world::World;

/// Callers at once, each of whom waits for an answer before asking for the next.
const CALLERS: u64 = 8;

/// How often the memory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often all callers wait for a moment, so that what requests take while they run is not taken for what
/// they leave.
const REST_EVERY: Duration = Duration::from_secs(5);

/// What the host's threads need to unmap what the last requests had.
const REST: Duration = Duration::from_millis(200);

/// How often memory has to be looked at while nobody asks. What is seen once shows no growth at all, and what
/// is seen twice shows no slope.
fn least_rests(duration: Duration) -> usize {
    if duration < Duration::from_secs(60) {
        2
    } else {
        5
    }
}

/// What one step of a caller's came to: what it is counted as, or what was wrong.
type Outcome = Result<String, String>;

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
    // Whoever asks holds it for reading, whoever wants rest for writing.
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
    let lost = world.what_is_lost().await;
    let mut report = Rc::into_inner(report).unwrap().into_inner();
    report.finish(curve, at_rest, lost, least_rests(duration));
    report.busy = world.busy();
    report
}

impl World {
    /// One step of a caller's: a request, an attack, a change.
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
