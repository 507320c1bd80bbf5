//! Soaks a host in good, bad and hostile requests for minutes, and prints the report.
//!
//! ```text
//! soak [MINUTES [SEED]]
//! ```
//!
//! Fails when anything was wrong, lost or leaked. `cargo xtask soak` runs it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its user"
)]

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use ampoule_tests::soak;

/// Warm-up in which caches, pools and the allocator grow to their size.
const WARM_UP: Duration = Duration::from_secs(60);

/// Growth of the resident memory that is allowed, in MiB a minute: the resolution of a measurement of ten minutes.
const ALLOWED_SLOPE: f64 = 1.0;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let minutes: u64 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let seed = match arguments.next() {
        Some(seed) => seed.parse()?,
        None => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
            u64::from(now.subsec_nanos())
        }
    };
    println!("the seed is {seed}");
    let report = soak(WARM_UP, Duration::from_secs(minutes * 60), seed);
    println!("{report}");
    let leaks = report.slope_at_rest() > ALLOWED_SLOPE;
    if leaks {
        eprintln!("the resident memory grows by more than {ALLOWED_SLOPE} MiB a minute");
    }
    Ok(if leaks || !report.wrong.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
