//! The generic cell rate algorithm (ITU-T I.371, appendix I) in whole numbers.
//!
//! A cell is one moment: the time at which everything that was taken is paid off. Taking moves the moment ahead, and
//! time goes by towards it. The distance between the two may be no longer than the burst takes to pay off.
//!
//! The algorithm is a token bucket without a timer. Unlike a window that begins anew each minute, it lets nobody take two
//! minutes' worth around the turn of one.

use std::time::Duration;

use crate::rates::Rate;

/// A time in units of 1/65,536 of a nanosecond, so that amounts of fuel, many of which are paid off in one nanosecond,
/// lose next to nothing by rounding.
pub(crate) type Ticks = u128;

const TICKS_PER_NANO: u32 = 16;
/// The largest number of units that one step counts, 2^53. The product with a month in ticks fits into [`Ticks`].
const MAX_UNITS: u64 = 1 << 53;

pub(crate) const fn ticks(time: Duration) -> Ticks {
    time.as_nanos() << TICKS_PER_NANO
}

/// Returns a time, rounded up: who waits so long is not too early.
pub(crate) fn duration(ticks: Ticks) -> Duration {
    let nanos = ticks.div_ceil(1 << TICKS_PER_NANO);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Speed at which a cell is paid off, and its bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    amount: u64,
    period: Ticks,
    /// Time in which a burst is paid off.
    depth: Ticks,
}

impl Pace {
    pub(crate) fn new(rate: Rate, burst: u64) -> Self {
        let mut pace = Self {
            amount: rate.amount(),
            period: ticks(rate.period()),
            depth: 0,
        };
        pace.depth = pace.time_of(burst);
        pace
    }

    /// Returns the time in which some units are paid off.
    fn time_of(self, units: u64) -> Ticks {
        Ticks::from(units.min(MAX_UNITS)) * self.period / Ticks::from(self.amount.max(1))
    }
}

/// Time at which everything that was taken is paid off, since the limiter's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell(Ticks);

impl Cell {
    /// Takes units and returns their time, or the time to wait for them. More than a whole burst is taken as a whole
    /// burst, since no wait would be long enough.
    pub(crate) fn take(&mut self, pace: Pace, units: u64, now: Ticks) -> Result<Ticks, Ticks> {
        let cost = pace.time_of(units).min(pace.depth);
        let paid_off = self.0.max(now) + cost;
        let over = (paid_off - now).saturating_sub(pace.depth);
        if over > 0 {
            return Err(over);
        }
        self.0 = paid_off;
        Ok(cost)
    }

    /// Gives back units that were taken and not used.
    pub(crate) fn give_back(&mut self, cost: Ticks) {
        self.0 = self.0.saturating_sub(cost);
    }

    /// Puts the units that were used in the place of those that were taken for them. The moment may go past the bound:
    /// that is a debt, which following requests wait for.
    pub(crate) fn settle(&mut self, pace: Pace, taken: Ticks, used: u64, now: Ticks) {
        let used = pace.time_of(used);
        if used <= taken {
            self.give_back(taken - used);
        } else {
            self.0 = self.0.max(now) + (used - taken);
        }
    }

    /// Tells whether everything is paid off, so that a new cell is as good as this one.
    pub(crate) fn is_paid_off(self, now: Ticks) -> bool {
        self.0 <= now
    }

    /// Returns the units that could be taken now.
    pub(crate) fn left(self, pace: Pace, now: Ticks) -> u64 {
        let free = pace.depth.saturating_sub(self.0.saturating_sub(now));
        let units = free * Ticks::from(pace.amount) / pace.period.max(1);
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// Returns the time after which everything is paid off.
    pub(crate) fn until_paid_off(self, now: Ticks) -> Duration {
        duration(self.0.saturating_sub(now))
    }
}

/// A cell for units whose number is known only at the end of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Metered {
    pub(crate) cell: Cell,
    /// Moving average of what a request uses; `None` before the first is settled.
    average: Option<u64>,
}

/// Weight of the newest request in the average is one in so many.
const AVERAGE_OVER: u64 = 8;

impl Metered {
    /// Takes what a request will use, as far as is known, and a unit at least.
    pub(crate) fn take(&mut self, pace: Pace, now: Ticks) -> Result<Ticks, Ticks> {
        let expected = self.average.unwrap_or_default().max(1);
        self.cell.take(pace, expected, now)
    }

    pub(crate) fn settle(&mut self, pace: Pace, taken: Ticks, used: u64, now: Ticks) {
        self.cell.settle(pace, taken, used, now);
        let average = self.average.unwrap_or(used);
        let rest = average - average / AVERAGE_OVER;
        self.average = Some(rest.saturating_add(used / AVERAGE_OVER));
    }

    /// Settles a request that may have used more than is known: it gets nothing back, and tells nothing of an average.
    pub(crate) fn settle_at_least(&mut self, pace: Pace, taken: Ticks, known: u64, now: Ticks) {
        if pace.time_of(known) > taken {
            self.cell.settle(pace, taken, known, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: &str, burst: u64) -> Pace {
        Pace::new(rate.parse().unwrap(), burst)
    }

    fn at(nanos: u64) -> Ticks {
        ticks(Duration::from_nanos(nanos))
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_is_allowed_at_once_and_then_the_rate() {
        // One each 600 ms, three at once.
        let pace = pace("100/1m", 3);
        let mut cell = Cell::default();
        for left in [3, 2, 1] {
            assert_eq!(cell.left(pace, at(5 * SECOND)), left);
            cell.take(pace, 1, at(5 * SECOND)).unwrap();
        }
        let wait = cell.take(pace, 1, at(5 * SECOND)).unwrap_err();
        assert_eq!(duration(wait), Duration::from_millis(600));
        // A nanosecond too early, and in time.
        let next = 5 * SECOND + 600_000_000;
        assert_eq!(
            duration(cell.take(pace, 1, at(next - 1)).unwrap_err()).as_nanos(),
            1
        );
        cell.take(pace, 1, at(next)).unwrap();
        assert!(cell.take(pace, 1, at(next)).is_err());
        assert!(!cell.is_paid_off(at(next + 1_800_000_000 - 1)));
        assert!(cell.is_paid_off(at(next + 1_800_000_000)));
    }

    #[test]
    fn a_whole_burst_is_allowed_at_once_where_the_time_of_one_is_no_whole_number() {
        for (rate, burst) in [
            ("7/1m", 7),
            ("11/1s", 11),
            ("999983/1s", 4_000),
            ("3/744h", 3),
        ] {
            let pace = pace(rate, burst);
            let mut cell = Cell::default();
            for _ in 0..burst {
                cell.take(pace, 1, at(SECOND)).unwrap();
            }
            assert!(cell.take(pace, 1, at(SECOND)).is_err(), "{rate}");
        }
    }

    #[test]
    fn amounts_many_of_which_take_a_nanosecond_lose_next_to_nothing() {
        // 0.72 ns each.
        let pace = pace("5e12/1h", 5_000_000_000_000);
        for units in [1, 7, 1_389, 999_999_999, 4_999_999_999_999] {
            let exact = ((u128::from(units) * 72) << TICKS_PER_NANO) / 100;
            let found = pace.time_of(units);
            assert!(
                found <= exact && exact - found <= exact / 20_000,
                "{units}: {found}"
            );
        }
        assert_eq!(pace.time_of(5_000_000_000_000), at(3_600 * SECOND));
        // The most that can be used at once does not overflow.
        let mut cell = Cell::default();
        cell.settle(pace, 0, u64::MAX, at(SECOND));
        assert!(cell.take(pace, 1, at(3_600 * SECOND)).is_err());
    }

    #[test]
    fn what_was_used_beyond_what_was_taken_is_a_debt_that_time_pays_off() {
        let pace = pace("1000/1m", 1_000);
        let mut metered = Metered::default();
        let taken = metered.take(pace, at(0)).unwrap();
        // Three minutes' worth at once.
        metered.settle(pace, taken, 3_000, at(SECOND));
        let wait = duration(metered.take(pace, at(SECOND)).unwrap_err());
        // The next is expected to use as much, of which it must have a whole burst.
        assert_eq!(wait.as_secs(), 179);
        assert_eq!(metered.cell.left(pace, at(SECOND)), 0);
        let taken = metered.take(pace, at(182 * SECOND)).unwrap();
        metered.settle(pace, taken, 0, at(183 * SECOND));
        assert_eq!(metered.cell.left(pace, at(183 * SECOND)), 1_000);
    }
}
