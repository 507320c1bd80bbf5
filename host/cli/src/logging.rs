//! Shows the library's events on standard error.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use ampoule_command_line::parse_switch;
use clap::{Args, ValueEnum};
use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Options of a server's log.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogOptions {
    /// Log each request when its answer is over, as -v does among other things.
    #[arg(long, env = "AMPOULE_ACCESS_LOG", value_parser = parse_switch, num_args = 0)]
    access_log: bool,

    /// Show guests' words with -vv too: their messages and errors, which may repeat the contents of requests.
    #[arg(long, env = "AMPOULE_GUEST_LOG", value_parser = parse_switch, num_args = 0)]
    guest_log: bool,

    /// Form of the log's lines [default: text].
    #[arg(long, value_enum, value_name = "FORMAT", env = "AMPOULE_LOG_FORMAT")]
    log_format: Option<LogFormat>,
}

impl LogOptions {
    /// Returns the level of guests' words.
    fn guests(self, level: LevelFilter) -> LevelFilter {
        if self.guest_log {
            level
        } else {
            LevelFilter::OFF
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// An object of JSON a line, for programs.
    Json,
}

/// Set once where the lines of the log are objects of JSON.
static IS_JSON: OnceLock<()> = OnceLock::new();

/// Tells whether standard error has objects of JSON, and nothing else.
pub(crate) fn is_json() -> bool {
    IS_JSON.get().is_some()
}

/// Starts showing events: the host's with `-v`, guests' messages with `-vv` (of a server only where they are asked for),
/// and each step with `-vvv`. Without any, only warnings about the
/// cache of compiled models, about an older release after a newer one, and about files that others could have changed,
/// and of a server its loads, refusals, changes of trust and warnings about kept answers too.
///
/// A server's log has events of Ampoule alone. Other crates know no secret when they see one: that of HTTP/2 would show
/// parts of heads.
pub(crate) fn start(verbose: u8, server: Option<LogOptions>) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let mut events = match (verbose, server) {
        (0, _) => Targets::new()
            .with_target("ampoule::cache", level)
            .with_target("ampoule::rollback", level)
            .with_target("ampoule::permissions", level),
        (_, None) => Targets::new().with_default(level),
        (_, Some(server)) => Targets::new()
            .with_target("ampoule", level)
            .with_target("ampoule::guest", server.guests(level)),
    };
    if let Some(server) = server.filter(|_| verbose == 0) {
        events = events
            .with_target("ampoule::answers", LevelFilter::WARN)
            .with_target("ampoule::audit", LevelFilter::INFO)
            .with_target("ampoule::load", LevelFilter::INFO)
            .with_target("ampoule::server", LevelFilter::INFO)
            .with_target("ampoule::trust", LevelFilter::INFO);
        if server.access_log {
            events = events.with_target("ampoule::access", LevelFilter::INFO);
        }
    }
    // The server tells of each refused load with the name that the operator gave the model; the library knows none.
    let is_told_twice = server.is_some() && verbose == 0;
    let once = filter_fn(move |event| {
        let is_refusal = event.target() == "ampoule::load" && *event.level() == Level::WARN;
        !(is_told_twice && is_refusal)
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match server.and_then(|server| server.log_format) {
        Some(LogFormat::Json) => {
            let _ = IS_JSON.set(());
            lines.json().flatten_event(true).with_ansi(false).boxed()
        }
        Some(LogFormat::Text) | None => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(events.and(once)))
        .init();
}
