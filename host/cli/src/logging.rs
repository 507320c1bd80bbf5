//! Events of the library, on standard error when asked for.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts showing events: what happens with `-v`, what guests say with `-vv`. Without either only what
/// nobody should do unseen: to run an older release after a newer one, or what others could have changed; and
/// that the cache of compiled models does not do what it is for.
pub(crate) fn start(verbose: u8) {
    let events = match verbose {
        0 => Targets::new()
            .with_target("ampoule::cache", LevelFilter::WARN)
            .with_target("ampoule::rollback", LevelFilter::WARN)
            .with_target("ampoule::permissions", LevelFilter::WARN),
        1 => Targets::new().with_default(LevelFilter::INFO),
        _ => Targets::new().with_default(LevelFilter::DEBUG),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(lines)
        .with(events)
        .init();
}
