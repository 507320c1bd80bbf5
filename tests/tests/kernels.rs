//! The kernels compute rightly in the sandbox, with relaxed SIMD and without.
//!
//! The suite runs natively as well (`guest/kernels/suite`); here it runs as a guest of each kind.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, and prints what it measured"
)]

use std::sync::LazyLock;
use std::time::Duration;

use ampoule::{Limits, Model};
use ampoule_tests::{Publisher, block_on, host_with_limits, package_guest};
use serde_json::json;

/// Deadline in which a busy machine computes the naive sums.
const DEADLINE: Duration = Duration::from_secs(300);

fn load(component: &str) -> Model {
    let acme = Publisher::new("acme");
    let fuel = 1_000_000_000_000_u64;
    let bundle = acme
        .bundle(package_guest(component))
        .tasks(&["text-tokenization"])
        .set("/limits/fuel", json!(fuel))
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()))
        .write();
    let mut limits = Limits::default();
    limits.fuel = ampoule::Fuel::new(fuel);
    limits.deadline = DEADLINE;
    block_on(host_with_limits(&acme, limits).load(bundle.path())).unwrap()
}

/// Runs a check of the suite in a sandbox; its panic message is in the error's log.
fn run(model: &Model, check: &str) {
    let answer = block_on(model.tokenize(&[check]));
    let answer = answer.unwrap_or_else(|error| panic!("{check}: {error}"));
    let ids = &answer.output[0].ids;
    assert_eq!(
        ids,
        &[ampoule_kernels_suite::CHECKS.len() as u32],
        "the guest has other checks: run `cargo xtask guests`"
    );
}

macro_rules! tests {
    ($($module:ident::$check:ident,)*) => {
        mod with_relaxed_simd {
            use super::{LazyLock, Model, load, run};

            static SUITE: LazyLock<Model> = LazyLock::new(|| load("ampoule_kernels_suite_relaxed"));

            $(
                #[test]
                fn $check() {
                    run(&SUITE, stringify!($check));
                }
            )*
        }

        mod without_relaxed_simd {
            use super::{LazyLock, Model, load, run};

            static SUITE: LazyLock<Model> = LazyLock::new(|| load("ampoule_kernels_suite_plain"));

            $(
                #[test]
                fn $check() {
                    run(&SUITE, stringify!($check));
                }
            )*
        }
    };
}

ampoule_kernels_suite::for_each_check!(tests);

#[test]
fn a_check_that_does_not_hold_fails_its_sandbox() {
    // Otherwise all of the above would prove nothing.
    let model = load("ampoule_kernels_suite_plain");
    let error = block_on(model.tokenize(&["a_check_that_does_not_hold"])).unwrap_err();
    assert_eq!(error.code(), "guest.trap", "{error}");
}
