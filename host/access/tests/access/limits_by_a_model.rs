//! Limits against a model of them that is written in another way: token buckets that are filled step by step.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ampoule_access::{
    Asked, Charge, Denial, LimitScope, LimitUnit, Limiter, LimiterSettings, Principal,
    PrincipalKind, Rates, Reason, Role, Scope,
};
use ampoule_signing::Fuel;

const STEPS: u32 = 100_000;
const PERIOD: i128 = 60_000_000_000;

/// A bucket. Its level is a number of units times the period in nanoseconds, so that nothing is rounded.
struct Bucket {
    amount: i128,
    burst: i128,
    level: i128,
    filled_at: i128,
}

impl Bucket {
    fn new(amount: i128, burst: i128) -> Self {
        Self {
            amount,
            burst,
            level: burst * PERIOD,
            filled_at: 0,
        }
    }

    fn fill(&mut self, now: i128) {
        self.level += (now - self.filled_at) * self.amount;
        self.level = self.level.min(self.burst * PERIOD);
        self.filled_at = now;
    }

    /// Returns the nanoseconds after which so many units are there.
    fn wait(&mut self, units: i128, now: i128) -> i128 {
        self.fill(now);
        let missing = units * PERIOD - self.level;
        (missing.max(0) + self.amount - 1) / self.amount
    }

    fn add(&mut self, units: i128, now: i128) {
        self.fill(now);
        self.level = (self.level + units * PERIOD).min(self.burst * PERIOD);
    }
}

struct Holder {
    requests: Bucket,
    tokens: Bucket,
    average: Option<i128>,
}

impl Holder {
    fn expected(&self) -> i128 {
        self.average.unwrap_or(0).max(1).min(self.tokens.burst)
    }

    /// Returns the unit that is missing, and the wait for it.
    fn missing(&mut self, now: i128) -> Option<(LimitUnit, i128)> {
        let requests = self.requests.wait(1, now);
        if requests > 0 {
            return Some((LimitUnit::Requests, requests));
        }
        let expected = self.expected();
        let tokens = self.tokens.wait(expected, now);
        (tokens > 0).then_some((LimitUnit::Tokens, tokens))
    }

    /// Takes a request, and returns the tokens that it took.
    fn take(&mut self, now: i128) -> i128 {
        let expected = self.expected();
        self.requests.add(-1, now);
        self.tokens.add(-expected, now);
        expected
    }

    fn settle(&mut self, taken: i128, used: i128, now: i128) {
        self.tokens.add(taken - used, now);
        let average = self.average.unwrap_or(used);
        self.average = Some(average - average / 8 + used / 8);
    }
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct Running {
    charge: Charge,
    key: usize,
    taken: [i128; 2],
}

fn rates(requests: &str, burst: u32, tokens: &str, concurrent: Option<u32>) -> Rates {
    Rates {
        requests: Some(requests.parse().unwrap()),
        burst: burst.try_into().ok(),
        tokens: Some(tokens.parse().unwrap()),
        concurrent: concurrent.and_then(|most| most.try_into().ok()),
        ..Rates::default()
    }
}

#[test]
fn limits_let_in_and_refuse_as_buckets_do_in_a_hundred_thousand_steps() {
    const CONCURRENT: usize = 3;
    let limiter = Limiter::new(LimiterSettings {
        key: rates("100/1m", 20, "1000/1m", Some(3)),
        tenant: rates("150/1m", 30, "1500/1m", None),
        ..LimiterSettings::default()
    });
    let tenants = ["one", "one", "two"];
    let principals: Vec<_> = (0..3)
        .map(|key| {
            let kind = PrincipalKind::Key(format!("{key:016x}").parse().unwrap());
            let tenant = Some(tenants[key].parse().unwrap());
            Principal::new(
                kind,
                Role::Infer,
                tenant,
                Scope::default(),
                Rates::default(),
            )
        })
        .collect();
    let of_key = || Holder {
        requests: Bucket::new(100, 20),
        tokens: Bucket::new(1_000, 1_000),
        average: None,
    };
    let of_tenant = || Holder {
        requests: Bucket::new(150, 30),
        tokens: Bucket::new(1_500, 1_500),
        average: None,
    };
    let mut keys = [of_key(), of_key(), of_key()];
    let mut model_tenants = BTreeMap::from([("one", of_tenant()), ("two", of_tenant())]);
    let mut running: Vec<Running> = Vec::new();
    let mut dice = Dice(23);
    let start = Instant::now();
    let mut now: i128 = 0;
    let mut outcomes: BTreeMap<&str, u32> = BTreeMap::new();
    let mut last_wait = None;

    for step in 0..STEPS {
        now += match (dice.below(8), last_wait.take()) {
            // To the very nanosecond.
            (0..=3, Some(wait)) => wait,
            (4..=5, _) => 0,
            (6, _) if dice.below(100) == 0 => i128::from(dice.below(60_000_000_000)),
            _ => i128::from(dice.below(150_000_000)),
        };
        let at = start + Duration::from_nanos(now.try_into().unwrap());
        if !running.is_empty() && dice.below(2) == 0 {
            let place = usize::try_from(dice.below(running.len() as u64)).unwrap();
            let ended = running.swap_remove(place);
            // Some vanish without a word, and some take more than a bucket.
            if dice.below(10) == 0 {
                drop(ended.charge);
            } else {
                // Times in which tokens are short, and others in which requests are.
                let are_tokens_short = step % 10_000 < 5_000;
                let used = match dice.below(20) {
                    0 if are_tokens_short => dice.below(3_000),
                    _ if are_tokens_short => dice.below(40),
                    _ => dice.below(8),
                };
                ended.charge.settle(used, Fuel::new(0), at);
                let used = i128::from(used);
                keys[ended.key].settle(ended.taken[0], used, now);
                let tenant = model_tenants.get_mut(tenants[ended.key]).unwrap();
                tenant.settle(ended.taken[1], used, now);
            }
            continue;
        }
        let key = usize::try_from(dice.below(3)).unwrap();
        let asked = Asked {
            who: &principals[key],
            address: std::net::IpAddr::from([127, 0, 0, 1]).into(),
            route: None,
        };
        let found = limiter.admit(&asked, at);
        let busy = running.iter().filter(|other| other.key == key).count();
        let tenant = model_tenants.get_mut(tenants[key]).unwrap();
        let expected = if busy >= CONCURRENT {
            Err((Reason::Concurrent(LimitScope::Key), None))
        } else if let Some((unit, wait)) = keys[key].missing(now) {
            Err((Reason::Rate(LimitScope::Key, unit), Some(wait)))
        } else if let Some((unit, wait)) = tenant.missing(now) {
            Err((Reason::Rate(LimitScope::Tenant, unit), Some(wait)))
        } else {
            Ok([keys[key].take(now), tenant.take(now)])
        };
        match (found, expected) {
            (Ok(charge), Ok(taken)) => {
                running.push(Running { charge, key, taken });
                *outcomes.entry("admitted").or_default() += 1;
            }
            (Err(Denial { reason, wait }), Err((expected, in_model))) => {
                assert_eq!(reason, expected, "step {step}");
                let wait = wait.map(|wait| i128::try_from(wait.as_nanos()).unwrap());
                assert_eq!(wait, in_model, "step {step}: {reason:?}");
                last_wait = wait;
                *outcomes.entry(reason.code()).or_default() += 1;
            }
            (found, expected) => panic!("step {step}: {found:?} and {expected:?}"),
        }
    }
    // Every kind of outcome was met often.
    for outcome in [
        "admitted",
        "concurrent.key",
        "rate.key.requests",
        "rate.key.tokens",
        "rate.tenant.requests",
        "rate.tenant.tokens",
    ] {
        let count = outcomes.get(outcome).copied().unwrap_or_default();
        assert!(count > 100, "{outcome}: {outcomes:?}");
    }
}
