//! Shows the library's events on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts showing events: the host's with `-v`, guests' messages with `-vv`. Without either, only warnings about the
/// cache of compiled models, about an older release after a newer one, and about files that others could have
/// changed.
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
