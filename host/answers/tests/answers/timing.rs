//! Times of look-ups, by which one tenant must not learn of another's requests.

use std::hint::black_box;
use std::time::Instant;

use ampoule_answers::{Answers, Bounds, Question, TenantAnswers};

use crate::{keep, question};

/// Look-ups of each kind.
const LOOKS: usize = 2_000;

/// Bound of the standard score. By chance alone it is passed once in 60,000 runs.
const BOUND: f64 = 4.2;

/// Tries, of which one has to be within the bound: other programs run on the machine.
const TRIES: usize = 3;

fn time(tenant: &TenantAnswers, question: &Question) -> u64 {
    let begun = Instant::now();
    let found = black_box(tenant.find(black_box(question)));
    let took = begun.elapsed();
    drop(found);
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the standard score of the Mann–Whitney U test (Mann and Whitney 1947), with mean ranks for ties.
fn standard_score(one: &[u64], other: &[u64]) -> f64 {
    let mut all: Vec<(u64, bool)> = one.iter().map(|time| (*time, true)).collect();
    all.extend(other.iter().map(|time| (*time, false)));
    all.sort_unstable();
    let (n, m) = (one.len() as f64, other.len() as f64);
    let total = n + m;
    let (mut ranks, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let end = all[at..]
            .iter()
            .take_while(|time| time.0 == all[at].0)
            .count()
            + at;
        let tied = (end - at) as f64;
        let mean = (at + end + 1) as f64 / 2.0;
        ranks += mean * all[at..end].iter().filter(|time| time.1).count() as f64;
        ties += tied.powi(3) - tied;
        at = end;
    }
    let u = ranks - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    (u - n * m / 2.0) / variance.sqrt()
}

/// Times look-ups of two kinds in turns, so that whatever else the machine does meets both alike.
fn compare(tenant: &TenantAnswers, one: &[Question], other: &[Question]) -> f64 {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for index in 0..LOOKS {
        let (first, second) = (&one[index % one.len()], &other[index % other.len()]);
        if index % 2 == 0 {
            ones.push(time(tenant, first));
            others.push(time(tenant, second));
        } else {
            others.push(time(tenant, second));
            ones.push(time(tenant, first));
        }
    }
    standard_score(&ones, &others)
}

#[test]
fn a_look_up_of_what_another_tenant_has_takes_as_long_as_one_of_nothing() {
    let answers = Answers::in_memory(Bounds::default()).unwrap();
    let (acme, other) = (
        answers.of_tenant("acme").unwrap(),
        answers.of_tenant("other").unwrap(),
    );
    let texts = |kind: &str| {
        (0..LOOKS)
            .map(|index| format!("{kind} {index}"))
            .collect::<Vec<_>>()
    };
    let (asked, unasked, own) = (texts("asked"), texts("unasked"), texts("own"));
    for text in &asked {
        assert!(keep(&acme, text, &[1; 2_000]));
    }
    for text in &own {
        assert!(keep(&other, text, &[1; 2_000]));
    }
    let hashed = |texts: &[String]| {
        let hashed = texts.iter().map(|text| question(&other, text));
        hashed.collect::<Vec<_>>()
    };
    let (asked, unasked, own) = (hashed(&asked), hashed(&unasked), hashed(&own));
    let scores = (0..TRIES).map(|_| compare(&other, &asked, &unasked));
    let scores: Vec<f64> = scores.collect();
    assert!(scores.iter().any(|score| score.abs() < BOUND), "{scores:?}");
    // The measure sees a difference where there is one: a hit of the tenant's own takes longer.
    let seen = compare(&other, &own, &unasked);
    assert!(seen > 10.0 * BOUND, "{seen}");
}
