//! Limits of callers, each by itself.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ampoule_access::{
    Asked, DenialKind, LimitScope, LimitUnit, Limiter, LimiterSettings, Principal, PrincipalKind,
    Rates, Reason, Role, RouteId, Scope,
};
use ampoule_signing::Fuel;

const SECOND: Duration = Duration::from_secs(1);

fn key(number: u32, tenant: &str) -> Principal {
    with_rates(number, tenant, Rates::default())
}

fn with_rates(number: u32, tenant: &str, rates: Rates) -> Principal {
    let kind = PrincipalKind::Key(format!("{number:016x}").parse().unwrap());
    let tenant = Some(tenant.parse().unwrap());
    Principal::new(kind, Role::Infer, tenant, Scope::default(), rates)
}

fn asked(who: &Principal) -> Asked<'_> {
    from(who, "203.0.113.7")
}

fn from<'a>(who: &'a Principal, address: &str) -> Asked<'a> {
    Asked {
        who,
        address: address.parse::<IpAddr>().unwrap().into(),
        route: None,
    }
}

fn requests(rate: &str) -> Rates {
    Rates {
        requests: Some(rate.parse().unwrap()),
        ..Rates::default()
    }
}

fn tokens(rate: &str) -> Rates {
    Rates {
        tokens: Some(rate.parse().unwrap()),
        ..Rates::default()
    }
}

/// Lets in as many requests as come through at one moment.
fn at_once(limiter: &Limiter, asked: &Asked<'_>, now: Instant) -> (u32, Reason) {
    let mut count = 0;
    loop {
        match limiter.admit(asked, now) {
            Ok(_) => count += 1,
            Err(denial) => return (count, denial.reason),
        }
    }
}

#[test]
fn sixty_four_threads_get_a_burst_between_them_and_not_one_more() {
    let limiter = Limiter::new(LimiterSettings {
        key: requests("1000/1m"),
        ..LimiterSettings::default()
    });
    let (now, who) = (Instant::now(), key(1, "acme"));
    let count = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let (admitted, _) = at_once(&limiter, &asked(&who), now);
                count.fetch_add(admitted, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(count.into_inner(), 1_000);
}

#[test]
fn a_client_that_never_rests_gets_its_rate_within_two_percent_over_minutes() {
    for (rate, a_second) in [
        ("7/1m", 7.0 / 60.0),
        ("333/1s", 333.0),
        ("100/1m", 100.0 / 60.0),
    ] {
        let limiter = Limiter::new(LimiterSettings {
            key: Rates {
                burst: 1.try_into().ok(),
                ..requests(rate)
            },
            ..LimiterSettings::default()
        });
        let (start, who) = (Instant::now(), key(1, "acme"));
        let (mut passed, mut count) = (Duration::ZERO, 0.0);
        while passed < 1_000 * SECOND && count < 20_000.0 {
            match limiter.admit(&asked(&who), start + passed) {
                Ok(_) => count += 1.0,
                Err(denial) => passed += denial.wait.unwrap(),
            }
        }
        let expected = a_second * passed.as_secs_f64();
        assert!(
            (count - expected).abs() <= 0.02 * expected,
            "{rate}: {count} and {expected}"
        );
    }
}

#[test]
fn requests_that_use_more_tokens_than_are_left_pay_by_waiting() {
    let limiter = Limiter::new(LimiterSettings {
        key: tokens("6000/1m"),
        ..LimiterSettings::default()
    });
    let (start, who) = (Instant::now(), key(1, "acme"));
    let (mut passed, mut used) = (Duration::ZERO, 0);
    let mut step: u64 = 0;
    while passed < 6_000 * SECOND {
        match limiter.admit(&asked(&who), start + passed) {
            Ok(charge) => {
                // From nothing to twice what a minute allows.
                step = (step * 7_919 + 13) % 12_001;
                passed += SECOND / 10;
                charge.settle(step, Fuel::new(0), start + passed);
                used += step;
            }
            Err(denial) => {
                assert_eq!(
                    denial.reason,
                    Reason::Rate(LimitScope::Key, LimitUnit::Tokens)
                );
                passed += denial.wait.unwrap();
            }
        }
    }
    let allowed = passed.as_secs() * 100;
    let (least, most) = (allowed * 98 / 100, allowed * 102 / 100 + 6_000);
    assert!((least..=most).contains(&used), "{used} of {allowed}");
}

#[test]
fn fuel_is_limited_as_tokens_are() {
    let limiter = Limiter::new(LimiterSettings {
        key: Rates {
            fuel: Some("1e12/1h".parse().unwrap()),
            ..Rates::default()
        },
        ..LimiterSettings::default()
    });
    let (now, who) = (Instant::now(), key(1, "acme"));
    let charge = limiter.admit(&asked(&who), now).unwrap();
    charge.settle(7, Fuel::new(1_500_000_000_000), now);
    let refused = limiter.admit(&asked(&who), now).unwrap_err();
    assert_eq!(
        refused.reason,
        Reason::Rate(LimitScope::Key, LimitUnit::Fuel)
    );
    assert_eq!(refused.reason.kind(), DenialKind::Rate);
    // Half an hour of debt, and then as much as such a request is expected to use: a whole burst.
    assert_eq!(refused.wait.unwrap().as_secs(), 5_400);
}

#[test]
fn a_request_that_was_ended_early_pays_what_is_known_and_at_least_what_such_requests_use() {
    let limiter = Limiter::new(LimiterSettings {
        key: tokens("1000/1m"),
        ..LimiterSettings::default()
    });
    let (now, who) = (Instant::now(), key(1, "acme"));
    let left = || {
        let standing = limiter.standing(&asked(&who), now);
        standing.tokens.unwrap().remaining
    };
    let admit = || limiter.admit(&asked(&who), now).unwrap();
    admit().settle(100, Fuel::new(0), now);
    assert_eq!(left(), 900);
    // Expected, and more than that; the average is that of whole requests.
    admit().settle_at_least(3, Fuel::new(0), now);
    assert_eq!(left(), 800);
    admit().settle_at_least(250, Fuel::new(0), now);
    assert_eq!(left(), 550);
    admit().settle_at_least(0, Fuel::new(0), now);
    assert_eq!(left(), 450);
    admit().settle(0, Fuel::new(0), now);
    assert_eq!(left(), 450);
}

/// Otherwise whoever is refused by one limit would use up the others by trying again.
#[test]
fn a_request_that_is_refused_takes_nothing() {
    let limiter = Limiter::new(LimiterSettings {
        key: requests("10/10m"),
        tenant: requests("3/1m"),
        ..LimiterSettings::default()
    });
    let now = Instant::now();
    let (one, two) = (key(1, "acme"), key(2, "acme"));
    let (count, reason) = at_once(&limiter, &asked(&one), now);
    assert_eq!(
        (count, reason),
        (3, Reason::Rate(LimitScope::Tenant, LimitUnit::Requests))
    );
    for _ in 0..100 {
        assert!(limiter.admit(&asked(&two), now).is_err());
    }
    // A minute later the tenant has three again, and the second key all of its ten: it gets but one a minute back.
    let later = now + 60 * SECOND;
    let (count, reason) = at_once(&limiter, &asked(&two), later);
    assert_eq!(
        (count, reason),
        (3, Reason::Rate(LimitScope::Tenant, LimitUnit::Requests))
    );
}

#[test]
fn a_route_is_limited_for_each_tenant_by_itself_and_others_see_nothing_of_it() {
    let limiter = Limiter::new(LimiterSettings {
        key: requests("100/1m"),
        tenant: requests("200/1m"),
        routes: vec![requests("5/1m")],
        ..LimiterSettings::default()
    });
    let now = Instant::now();
    let (one, two, other) = (key(1, "acme"), key(2, "acme"), key(3, "other"));
    let on_route = |who| Asked {
        route: Some(RouteId(0)),
        ..asked(who)
    };
    let untouched = limiter.standing(&on_route(&other), now);
    let (count, reason) = at_once(&limiter, &on_route(&one), now);
    assert_eq!(
        (count, reason),
        (5, Reason::Rate(LimitScope::Route, LimitUnit::Requests))
    );
    assert!(limiter.admit(&on_route(&two), now).is_err(), "the tenant's");
    assert!(limiter.admit(&asked(&one), now).is_ok(), "another route");
    assert_eq!(limiter.standing(&on_route(&other), now), untouched);
    assert_eq!(at_once(&limiter, &on_route(&other), now).0, 5);
    // A place that the list does not have limits nothing.
    let nowhere = Asked {
        route: Some(RouteId(9)),
        ..asked(&one)
    };
    assert!(limiter.admit(&nowhere, now).is_ok());
}

#[test]
fn as_many_requests_at_one_time_as_are_allowed_are_let_in_and_the_next_when_one_ends() {
    let limiter = Limiter::new(LimiterSettings {
        key: Rates {
            concurrent: 2.try_into().ok(),
            ..Rates::default()
        },
        ..LimiterSettings::default()
    });
    let now = Instant::now();
    let own = with_rates(
        2,
        "acme",
        Rates {
            concurrent: 1.try_into().ok(),
            ..Rates::default()
        },
    );
    let (by_default, by_itself) = (key(1, "acme"), own);
    let first = limiter.admit(&asked(&by_default), now).unwrap();
    let second = limiter.admit(&asked(&by_default), now).unwrap();
    let refused = limiter.admit(&asked(&by_default), now).unwrap_err();
    assert_eq!(refused.reason, Reason::Concurrent(LimitScope::Key));
    assert_eq!(refused.wait, None);
    let third = limiter.admit(&asked(&by_itself), now).unwrap();
    assert!(limiter.admit(&asked(&by_itself), now).is_err());
    // Whether it is settled or vanishes.
    drop(first);
    second.settle(0, Fuel::new(0), now);
    let again: Vec<_> = (0..3)
        .map(|_| limiter.admit(&asked(&by_default), now))
        .collect();
    assert_eq!(again.iter().filter(|admitted| admitted.is_ok()).count(), 2);
    drop(third);
    assert!(limiter.admit(&asked(&by_itself), now).is_ok());
}

#[test]
fn callers_without_a_credential_are_limited_by_address_and_those_of_this_machine_too() {
    let limiter = Limiter::new(LimiterSettings {
        key: requests("1/1m"),
        address: requests("3/1m"),
        ..LimiterSettings::default()
    });
    let now = Instant::now();
    let anonymous = Principal::anonymous(Role::Infer);
    let (count, reason) = at_once(&limiter, &from(&anonymous, "2001:db8::1"), now);
    assert_eq!(
        (count, reason),
        (3, Reason::Rate(LimitScope::Address, LimitUnit::Requests))
    );
    assert_eq!(reason.kind(), DenialKind::Address);
    assert!(
        limiter
            .admit(&from(&anonymous, "2001:db8::2"), now)
            .is_err(),
        "one network"
    );
    assert!(
        limiter
            .admit(&from(&anonymous, "2001:db8:0:1::1"), now)
            .is_ok()
    );
    // A key is not limited by the address that it comes from.
    assert!(
        limiter
            .admit(&from(&key(1, "acme"), "2001:db8::1"), now)
            .is_ok()
    );
    // Where no credential is asked for, everybody is known by the address alone.
    let local = Principal::local();
    assert!(limiter.admit(&from(&local, "2001:db8::1"), now).is_err());
    assert_eq!(at_once(&limiter, &from(&local, "127.0.0.1"), now).0, 3);
    let unlimited = Limiter::new(LimiterSettings::default());
    for _ in 0..1_000 {
        assert!(unlimited.admit(&from(&local, "127.0.0.1"), now).is_ok());
    }
    let standing = unlimited.standing(&from(&local, "127.0.0.1"), now);
    assert_eq!(standing.requests, None);
}

#[test]
fn what_is_refused_counts_for_its_address_and_takes_neither_tokens_nor_places() {
    let limiter = Limiter::new(LimiterSettings {
        address: Rates {
            tokens: Some("1/1m".parse().unwrap()),
            concurrent: 1.try_into().ok(),
            ..requests("4/1m")
        },
        ..LimiterSettings::default()
    });
    let now = Instant::now();
    let anonymous = Principal::anonymous(Role::Infer);
    let of = |address: &str| address.parse::<IpAddr>().unwrap().into();
    let in_work = limiter
        .admit(&from(&anonymous, "203.0.113.7"), now)
        .unwrap();
    for _ in 0..3 {
        limiter.turn_away(of("203.0.113.7"), now).unwrap();
    }
    let refused = limiter.turn_away(of("203.0.113.7"), now).unwrap_err();
    assert_eq!(
        refused.reason,
        Reason::Rate(LimitScope::Address, LimitUnit::Requests)
    );
    assert_eq!(refused.wait, Some(15 * SECOND));
    assert!(limiter.turn_away(of("203.0.113.8"), now).is_ok());
    drop(in_work);
    let later = now + 60 * SECOND;
    assert!(
        limiter
            .admit(&from(&anonymous, "203.0.113.7"), later)
            .is_ok()
    );
    let unlimited = Limiter::new(LimiterSettings::default());
    assert!((0..1_000).all(|_| unlimited.turn_away(of("203.0.113.7"), now).is_ok()));
}

#[test]
fn an_address_whose_credentials_are_refused_is_told_to_wait_and_its_good_keys_are_not() {
    let limiter = Limiter::new(LimiterSettings::default());
    let now = Instant::now();
    let address = "203.0.113.7".parse::<IpAddr>().unwrap().into();
    for _ in 0..10 {
        limiter.fail(address, now).unwrap();
    }
    let refused = limiter.fail(address, now).unwrap_err();
    assert_eq!(refused.reason, Reason::Failures);
    assert_eq!(refused.wait.unwrap(), 6 * SECOND);
    assert!(limiter.admit(&asked(&key(1, "acme")), now).is_ok());
    limiter.fail(address, now + 6 * SECOND).unwrap();
    assert!(limiter.fail(address, now + 6 * SECOND).is_err());
}

#[test]
fn strangers_without_end_take_no_room_of_keys_and_bounded_memory() {
    let limiter = Limiter::new(LimiterSettings {
        key: requests("5/1m"),
        address: requests("1/1m"),
        addresses: 1_024,
        ..LimiterSettings::default()
    });
    let now = Instant::now();
    let who = key(1, "acme");
    assert_eq!(at_once(&limiter, &asked(&who), now).0, 5);
    let anonymous = Principal::anonymous(Role::Infer);
    let mut admitted = 0;
    for number in 0..50_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        let address = IpAddr::from([100, a, b, c]).to_string();
        admitted += u32::from(limiter.admit(&from(&anonymous, &address), now).is_ok());
    }
    assert!(limiter.addresses() <= 1_024);
    assert!(admitted <= 1_024 + 16, "{admitted}");
    assert!(limiter.admit(&asked(&who), now).is_err());
    assert!(limiter.admit(&asked(&key(2, "acme")), now).is_ok());
}

#[test]
fn the_standing_is_that_of_the_tightest_limit() {
    let limiter = Limiter::new(LimiterSettings {
        key: Rates {
            tokens: Some("1000/1m".parse().unwrap()),
            ..requests("100/1m")
        },
        tenant: requests("120/1m"),
        ..LimiterSettings::default()
    });
    let now = Instant::now();
    let (one, two) = (key(1, "acme"), key(2, "acme"));
    for _ in 0..10 {
        let charge = limiter.admit(&asked(&one), now).unwrap();
        charge.settle(25, Fuel::new(0), now);
    }
    let standing = limiter.standing(&asked(&one), now);
    let requests = standing.requests.unwrap();
    assert_eq!(
        (
            requests.scope,
            requests.limit,
            requests.period,
            requests.remaining
        ),
        (LimitScope::Key, 100, 60 * SECOND, 90)
    );
    assert_eq!(requests.reset, 6 * SECOND);
    let tokens = standing.tokens.unwrap();
    assert_eq!((tokens.limit, tokens.remaining), (1_000, 750));
    assert_eq!(tokens.reset, 15 * SECOND);
    // Of the other key's limits less is left than of the tenant's only when the tenant has used much.
    for _ in 0..100 {
        let _ = limiter.admit(&asked(&two), now);
    }
    let requests = limiter.standing(&asked(&one), now).requests.unwrap();
    assert_eq!(
        (requests.scope, requests.remaining),
        (LimitScope::Tenant, 10)
    );
    // To look takes nothing.
    let again = limiter.standing(&asked(&one), now).requests.unwrap();
    assert_eq!(again, requests);
}
