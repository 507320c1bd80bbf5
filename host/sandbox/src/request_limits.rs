//! Limits that a load or a call sets below those of a model's manifest.

use std::time::Duration;

use ampoule_units::{Budget, ByteSize, Fuel};

use crate::error::Result;
use crate::limits::{MAX_MEMORY, MIN_MEMORY};
use crate::limits_check::{number, time};

/// Limits of each request to a loaded model, where lower than its manifest asks for.
/// Requests that need more end with `limit.memory`, `limit.fuel` or `limit.deadline`. Values that a field of
/// [`Limits`](crate::Limits) could not have, such as zero, are refused before anything is loaded
/// (`usage.limits`).
///
/// ```
/// use ampoule_sandbox::RequestLimits;
///
/// let at_most = RequestLimits {
///     deadline: Some(std::time::Duration::from_millis(500)),
///     ..RequestLimits::default()
/// };
/// ```
///
/// Later versions may have more fields: write the rest as `..RequestLimits::default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestLimits {
    /// Linear memory and tables.
    pub memory: Option<ByteSize>,
    /// Fuel.
    pub fuel: Option<Fuel>,
    /// Wall-clock time, the wait in the queue included.
    pub deadline: Option<Duration>,
}

impl RequestLimits {
    /// Refuses less than anything could run with, and more than a limit of the host's may be.
    ///
    /// # Errors
    ///
    /// `usage.limits`.
    pub fn check(self) -> Result<()> {
        if let Some(memory) = self.memory {
            number("memory", memory, MIN_MEMORY, MAX_MEMORY)?;
        }
        if let Some(fuel) = self.fuel {
            number("fuel", fuel, Fuel::new(1), Fuel::new(u64::MAX))?;
        }
        self.deadline
            .map_or(Ok(()), |deadline| time("deadline", deadline))
    }

    /// Lowers each limit of `asked` to its own, where it has one.
    #[must_use]
    pub fn applied_to(self, asked: Budget) -> Budget {
        fn lower<T: Ord>(asked: T, at_most: Option<T>) -> T {
            match at_most {
                Some(at_most) => asked.min(at_most),
                None => asked,
            }
        }
        Budget {
            memory: lower(asked.memory, self.memory),
            fuel: lower(asked.fuel, self.fuel),
            deadline: lower(asked.deadline, self.deadline),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn less_for_a_request_than_anything_could_run_with_is_refused_by_name() {
        type Change = fn(&mut RequestLimits);
        let cases: [(&str, Change); 6] = [
            ("memory", |at_most| {
                at_most.memory = Some(ByteSize::from_bytes(0))
            }),
            ("memory", |at_most| {
                at_most.memory = Some(ByteSize::from_bytes(65_535))
            }),
            ("memory", |at_most| {
                at_most.memory = Some(ByteSize::from_bytes(u64::MAX))
            }),
            ("fuel", |at_most| at_most.fuel = Some(Fuel::new(0))),
            ("deadline", |at_most| {
                at_most.deadline = Some(Duration::ZERO)
            }),
            ("deadline", |at_most| at_most.deadline = Some(Duration::MAX)),
        ];
        for (name, change) in cases {
            let mut at_most = RequestLimits::default();
            at_most.check().unwrap();
            change(&mut at_most);
            let error = at_most.check().unwrap_err();
            assert_eq!(error.code(), "usage.limits");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
