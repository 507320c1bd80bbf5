//! Measurement of what sandboxes of a model cost on this machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ampoule_sandbox::guest::state::SandboxState;
use ampoule_sandbox::guest::store::set_fuel;
use ampoule_sandbox::imports::assets::Assets;
use ampoule_sandbox::imports::clocks::ClockResolution;
use ampoule_sandbox::{Error, Result};
use ampoule_units::{ByteSize, Fuel};
use tokio_util::sync::CancellationToken;
use wasmtime::Store;

use crate::model::Model;
use crate::sandbox::request_sandbox::Sandbox;
use crate::sandbox::served_model::ServedModel;
use crate::schedule::queue::Urgency;
use crate::schedule::request::NewRequest;

/// The times of one kind of step, sorted.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Times(
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::millis::serialize_list")
    )]
    Vec<Duration>,
);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that this share of the steps took at most: 0.5 for the median.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        // A place in a list of measurements: far from where the conversion would lose anything.
        let place = (last as f64 * share.clamp(0.0, 1.0)).round() as usize;
        self.0.get(place).copied().unwrap_or_default()
    }
}

/// Costs of sandboxes; see [`Model::measure`]. Serialized, each of the times is a list of milliseconds.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SandboxCosts {
    /// To make a sandbox: its state, its limits, its memory.
    pub instantiate: Times,
    /// The first call in it, `lifecycle.describe`, under the request's limits.
    pub first_call: Times,
    /// Both together, for each sandbox.
    pub fresh_call: Times,
    /// To empty it and give it back to the pool.
    pub drop: Times,
    /// To instantiate the same code out of the same pool by Wasmtime alone: no limits, no call.
    pub bare_instantiate: Times,
    /// Memory of its own that each of several sandboxes at once had after its first call.
    pub private_bytes: ByteSize,
}

/// The number of sandboxes that are alive at once when their memory is measured.
const CROWD: usize = 16;

impl Model {
    /// Makes `runs` sandboxes, one after the other, with a call in each, on one of the host's threads.
    ///
    /// # Errors
    ///
    /// Those of a request.
    pub async fn measure(&self, runs: usize) -> Result<SandboxCosts> {
        let request = self.new_request();
        let far = Instant::now() + Duration::from_secs(3600);
        self.run(Urgency::New, far, async move |cancelled| {
            let mut times = [const { Vec::new() }; 5];
            // The first ones find nothing in caches.
            for run in 0..runs + runs.div_ceil(10) {
                let found = measure_once(&request, &cancelled).await?;
                if run >= runs.div_ceil(10) {
                    for (times, time) in times.iter_mut().zip(found) {
                        times.push(time);
                    }
                }
            }
            let private_bytes = private_bytes(&request, &cancelled).await?;
            let [instantiate, first_call, fresh_call, drop, bare_instantiate] =
                times.map(Times::of);
            Ok(SandboxCosts {
                instantiate,
                first_call,
                fresh_call,
                drop,
                bare_instantiate,
                private_bytes,
            })
        })
        .await
    }
}

async fn measure_once(
    request: &NewRequest,
    cancelled: &CancellationToken,
) -> Result<[Duration; 5]> {
    let (sandbox, instantiate, first_call) = called(request, cancelled).await?;
    let began = Instant::now();
    drop(sandbox);
    let dropped = began.elapsed();
    let bare = bare(request.model()).await?;
    let fresh_call = instantiate + first_call;
    Ok([instantiate, first_call, fresh_call, dropped, bare])
}

/// A sandbox after its first call, and how long both took.
async fn called(
    request: &NewRequest,
    cancelled: &CancellationToken,
) -> Result<(Sandbox, Duration, Duration)> {
    let model = Arc::clone(request.model());
    let began = Instant::now();
    let mut sandbox = request.start_sandbox(cancelled.clone()).await?;
    let instantiate = began.elapsed();
    let began = Instant::now();
    sandbox.begin_request(began + model.budgets.request.deadline)?;
    let describe = async move |store: &mut _, instance: &_| {
        let guest = model.code.exports.load_lifecycle(store, instance)?;
        Ok(Ok(guest.call_describe(store).await?))
    };
    let (sandbox, _) = sandbox.call(cancelled.clone(), describe).await?;
    Ok((sandbox, instantiate, began.elapsed()))
}

async fn bare(model: &ServedModel) -> Result<Duration> {
    let log = ByteSize::default();
    let memory = model.budgets.request.memory;
    let state = SandboxState::new(
        model.profile,
        ClockResolution::default(),
        memory,
        log,
        Assets::closed(),
    );
    let mut store = Store::new(model.code.instance.engine(), state);
    store.set_epoch_deadline(u64::MAX / 2);
    set_fuel(&mut store, Fuel::new(u64::MAX))?;
    let failed = |error| Error::internal(format!("a bare instance: {error:#}"));
    let began = Instant::now();
    model
        .code
        .instance
        .instantiate_async(&mut store)
        .await
        .map_err(failed)?;
    Ok(began.elapsed())
}

/// Measures the private memory that this process has more for each of a crowd of sandboxes.
async fn private_bytes(request: &NewRequest, cancelled: &CancellationToken) -> Result<ByteSize> {
    let before = process_private_bytes()?;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(called(request, cancelled).await?.0);
    }
    let grown = process_private_bytes()?.saturating_sub(before);
    Ok(ByteSize::from_bytes(grown / CROWD as u64))
}

/// Memory of this process that it shares with no other and with no file.
fn process_private_bytes() -> Result<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup");
    let rollup =
        rollup.map_err(|error| Error::system("say how much memory this process has", &error))?;
    let kib: u64 = rollup
        .lines()
        .filter_map(|line| line.strip_prefix("Private_Dirty:"))
        .filter_map(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    Ok(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_places_in_the_sorted_times() {
        let times = Times::of((1..=101).rev().map(Duration::from_micros).collect());
        assert_eq!(times.quantile(0.0), Duration::from_micros(1));
        assert_eq!(times.quantile(0.5), Duration::from_micros(51));
        assert_eq!(times.quantile(0.99), Duration::from_micros(100));
        assert_eq!(times.quantile(1.0), Duration::from_micros(101));
        assert_eq!(Times::of(Vec::new()).quantile(0.5), Duration::ZERO);
    }
}
