//! Rates: amounts in a time, as an operator writes them.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;
use std::time::Duration;

use ampoule_units::{ParseError, parse_time, text, time_text};
use serde::{Deserialize, Serialize};

use crate::text_form::text_form;

/// The largest amount, 2^53 − 1: beyond it, JSON's numbers round.
const MAX_AMOUNT: u64 = (1 << 53) - 1;
/// The shortest time of a rate.
const MIN_PERIOD: Duration = Duration::from_secs(1);
/// The longest time of a rate: a month.
const MAX_PERIOD: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// The most requests a second that a rate may mean. The arithmetic of limits is exact for them.
const MAX_REQUESTS_A_SECOND: u64 = 1_000_000;

/// An amount in a time. Text form: `100/1m`, `5e12/1h`: a whole number, perhaps with an exponent, and a time from 1 s to
/// 31 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    amount: NonZeroU64,
    period: Duration,
}

impl Rate {
    /// Makes a rate; `None` for one that has no text form.
    pub(crate) fn new(amount: u64, period: Duration) -> Option<Self> {
        let amount = NonZeroU64::new(amount).filter(|amount| amount.get() <= MAX_AMOUNT)?;
        let is_time = (MIN_PERIOD..=MAX_PERIOD).contains(&period);
        is_time.then_some(Self { amount, period })
    }

    /// Makes a rate that is known to have a text form.
    pub(crate) const fn of(amount: NonZeroU64, period: Duration) -> Self {
        Self { amount, period }
    }

    /// Returns the amount.
    #[must_use]
    pub const fn amount(self) -> u64 {
        self.amount.get()
    }

    /// Returns the time in which the amount is allowed.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.period.as_secs();
        let is_whole = self.period.subsec_nanos() == 0;
        write!(f, "{}/", self.amount)?;
        match seconds {
            _ if is_whole && seconds.is_multiple_of(3_600) => write!(f, "{}h", seconds / 3_600),
            _ if is_whole && seconds.is_multiple_of(60) => write!(f, "{}m", seconds / 60),
            _ => f.write_str(&time_text(self.period)),
        }
    }
}

impl FromStr for Rate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refused = || {
            let found = text::name(text);
            ParseError(format!(
                "expected a rate such as 100/1m or 5e12/1h, with at most {MAX_AMOUNT} in a time from 1s to 744h, found \
                 {found:?}"
            ))
        };
        let (amount, period) = text.split_once('/').ok_or_else(refused)?;
        let amount = parse_amount(amount).ok_or_else(refused)?;
        let period = parse_time(period).map_err(|_| refused())?;
        Self::new(amount, period).ok_or_else(refused)
    }
}

text_form!(Rate);

/// Reads `200000` or `5e12`.
fn parse_amount(text: &str) -> Option<u64> {
    let digits = |text: &str| -> Option<u64> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok()).flatten()
    };
    match text.split_once('e') {
        None => digits(text),
        Some((number, exponent)) => {
            let factor = 10_u64.checked_pow(u32::try_from(digits(exponent)?).ok()?)?;
            digits(number)?.checked_mul(factor)
        }
    }
}

/// Limits of a key, a tenant, an address or a route. What is left out is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Requests in a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Rate>,
    /// Requests that may come at once after a pause; by default as many as `requests` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// Tokens in a time, those of prompts and of answers together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Rate>,
    /// Fuel in a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<Rate>,
    /// Requests that are being answered at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<NonZeroU32>,
}

impl Rates {
    /// Returns these limits, with those of `default` where one is left out. `requests` and `burst` go together.
    #[must_use]
    pub fn or(self, default: Self) -> Self {
        let (requests, burst) = match self.requests {
            Some(_) => (self.requests, self.burst),
            None => (default.requests, default.burst),
        };
        Self {
            requests,
            burst,
            tokens: self.tokens.or(default.tokens),
            fuel: self.fuel.or(default.fuel),
            concurrent: self.concurrent.or(default.concurrent),
        }
    }

    /// Tells whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses limits that contradict each other.
    ///
    /// # Errors
    ///
    /// For a burst without a rate of requests, and for a rate of more than a million requests a second.
    pub fn check(&self) -> Result<(), ParseError> {
        let Some(requests) = self.requests else {
            return match self.burst {
                None => Ok(()),
                Some(_) => Err(ParseError(
                    "a burst is one of requests: expected `requests` beside `burst`".to_owned(),
                )),
            };
        };
        let most = u128::from(MAX_REQUESTS_A_SECOND) * requests.period.as_nanos();
        if u128::from(requests.amount()) * 1_000_000_000 > most {
            return Err(ParseError(format!(
                "expected a rate of at most {MAX_REQUESTS_A_SECOND} requests a second, found {requests}"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn rates_are_read_and_written() {
        for (text, amount, seconds, written) in [
            ("100/1m", 100, 60, "100/1m"),
            ("5e12/1h", 5_000_000_000_000, 3_600, "5000000000000/1h"),
            ("1/1s", 1, 1, "1/1s"),
            ("1e0/90s", 1, 90, "1/90s"),
            ("7/120s", 7, 120, "7/2m"),
            (
                "9007199254740991/744h",
                MAX_AMOUNT,
                2_678_400,
                "9007199254740991/744h",
            ),
        ] {
            let read = rate(text);
            assert_eq!((read.amount(), read.period().as_secs()), (amount, seconds));
            assert_eq!(read.to_string(), written);
            assert_eq!(rate(written), read);
        }
        assert_eq!(rate("3/1500ms").to_string(), "3/1500ms");
    }

    #[test]
    fn rates_that_mean_nothing_or_overflow_are_refused() {
        for wrong in [
            "",
            "100",
            "/1m",
            "100/",
            "0/1m",
            "-1/1m",
            "+1/1m",
            "1.5/1m",
            "1e/1m",
            "e1/1m",
            "1e20/1m",
            "9007199254740992/1m",
            "99999999999999999999/1m",
            "1e99999999999/1m",
            "1/0s",
            "1/999ms",
            "1/745h",
            "1/1",
            "1/1m/1m",
            "1 /1m",
            "1/ 1m",
            "1e1e1/1m",
        ] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_keys_own_limits_come_before_the_defaults_and_a_burst_stays_with_its_rate() {
        let default = Rates {
            requests: Some(rate("100/1m")),
            burst: NonZeroU32::new(20),
            tokens: Some(rate("1000/1m")),
            ..Rates::default()
        };
        let own = Rates {
            requests: Some(rate("5/1m")),
            concurrent: NonZeroU32::new(2),
            ..Rates::default()
        };
        let both = own.or(default);
        assert_eq!((both.requests, both.burst), (own.requests, None));
        assert_eq!(
            (both.tokens, both.concurrent),
            (default.tokens, own.concurrent)
        );
        assert_eq!(Rates::default().or(default), default);
    }

    #[test]
    fn limits_that_contradict_each_other_are_refused() {
        let burst = Rates {
            burst: NonZeroU32::new(3),
            ..Rates::default()
        };
        assert!(burst.check().is_err());
        let requests = |text| Rates {
            requests: Some(rate(text)),
            ..burst
        };
        requests("1e6/1s").check().unwrap();
        assert!(requests("1000001/1s").check().is_err());
        requests("6e7/1m").check().unwrap();
        Rates::default().check().unwrap();
    }
}
