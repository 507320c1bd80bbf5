//! Options that ask for less than a model's manifest does, for one call.

use ampoule::{Limits, RequestLimits};

use crate::error::Error;
use crate::limit_options::LimitOptions;
use crate::lowered::Lowered;

/// Options that set a limit for the call where they stand on its command line.
pub(crate) const LOWERING: [&str; 3] = ["memory", "timeout", "fuel"];

/// Returns the limits of one call: those of `options` whose names are among `given`.
pub(crate) fn of_call(options: &LimitOptions, given: &[&'static str]) -> RequestLimits {
    let is_given = |name| given.contains(&name);
    RequestLimits {
        memory: options.memory.filter(|_| is_given("memory")),
        fuel: options.fuel.filter(|_| is_given("fuel")),
        deadline: (options.timeout.filter(|_| is_given("timeout"))).map(|time| time.0),
    }
}

/// Restores the caps that hold without the options of a call, where those are higher: the call is bounded by its own
/// options.
pub(crate) fn keep_caps(limits: &mut Limits, without: &Limits, lower: RequestLimits) {
    if lower.memory.is_some() {
        limits.memory = limits.memory.max(without.memory);
    }
    if lower.deadline.is_some() {
        limits.deadline = limits.deadline.max(without.deadline);
    }
    if lower.fuel.is_some() {
        limits.fuel = limits.fuel.max(without.fuel);
    }
}

/// Adds to the error of a used-up budget the source of the budget.
pub(crate) fn explain(error: Error, lower: RequestLimits) -> Error {
    let Error::Host(error) = error else {
        return error;
    };
    let option = match &error {
        ampoule::Error::Memory { allowed, .. } => {
            (lower.memory == Some(*allowed)).then_some("memory")
        }
        ampoule::Error::Deadline { allowed, .. } => {
            (lower.deadline == Some(*allowed)).then_some("timeout")
        }
        ampoule::Error::Fuel { allowed, .. } => (lower.fuel == Some(*allowed)).then_some("fuel"),
        ampoule::Error::Output { .. } => None,
        _ => return Error::Host(error),
    };
    let lowered = option.map_or(Lowered::ByManifest, Lowered::ByOption);
    Error::Lowered { error, lowered }
}
