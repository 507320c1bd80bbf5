//! A soak, in short: good, bad and hostile requests in random order, while models and trust change.
//!
//! `cargo xtask soak` runs the long one. One test alone in its file: it measures the whole process.

#![allow(clippy::print_stdout, reason = "a test prints what it measured")]

use std::time::Duration;

use ampoule_tests::soak;

const WARM_UP: Duration = Duration::from_secs(10);
const DURATION: Duration = Duration::from_secs(15);

/// Growth that is allowed, in MiB. In so short a time the allocator has not settled, and a slope says little. A leak
/// of a sandbox or a compiled model at each step would be hundreds of MiB.
const ALLOWED_GROWTH: f64 = 64.0;

#[test]
fn a_soak_of_good_bad_and_hostile_requests_finds_nothing_wrong_leaked_or_lost() {
    let report = soak(WARM_UP, DURATION, 1);
    println!("{report}");
    assert!(report.wrong.is_empty(), "{:?}", report.wrong.first());
    // All of it came up, or nothing was found out.
    for kind in [
        "good",
        "a bad request",
        "hostile",
        "cancelled",
        "abandoned",
        "storm",
        "change",
    ] {
        assert!(report.count_of(kind) > 0, "{kind}");
    }
    // From one moment of rest to itself nothing grows.
    assert!(report.rests() >= 2);
    assert!(report.growth_at_rest() <= ALLOWED_GROWTH);
}
