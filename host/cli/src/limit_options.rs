//! Options for the operator's limits: one list for options, variables and the configuration file.

use std::str::FromStr;
use std::time::Duration;

use ampoule::{ByteSize, Fuel, Limit, Limits};
use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::config_value::from_text;

/// Each of [`Limits`] that is given. In the file the names are those of the options, and sizes and times are text as
/// on the command line.
#[derive(Debug, Default, Args, Deserialize)]
#[command(next_help_heading = "Limits")]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LimitOptions {
    /// Preset for all limits that nothing else sets. strict is for models and requests of strangers: 1 MiB an image,
    /// 100MiB a sandbox, for loading too, and half a second between two chunks.
    #[arg(long = "limits", value_name = "PRESET", env = "AMPOULE_LIMITS")]
    pub(crate) preset: Option<Preset>,

    /// Most memory that one sandbox may ask for, such as 256MiB [default: 512MiB]. Of a command that asks a
    /// model once, the most that it gets, though the model asks for more.
    #[arg(long, value_name = "SIZE", env = "AMPOULE_MEMORY")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) memory: Option<ByteSize>,

    /// Longest time that one request may ask for, such as 500ms [default: 5s]. Of a command that asks a model
    /// once, the longest that it takes, though the model asks for more.
    #[arg(long, value_name = "TIME", env = "AMPOULE_TIMEOUT")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) timeout: Option<TimeLimit>,

    /// Most fuel (WebAssembly operators, and bytes that some of them move) that one request may ask for
    /// [default: 100000000000]. Of a command that asks a model once, the most that it gets, though the model asks for
    /// more.
    #[arg(long, value_name = "N", env = "AMPOULE_FUEL")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) fuel: Option<Fuel>,

    /// Most output that a model may ask for in one call [default: 8MiB].
    #[arg(long, value_name = "SIZE", env = "AMPOULE_OUTPUT_BYTES")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) output_bytes: Option<ByteSize>,

    /// The most chunks of one generation [default: 16384].
    #[arg(long, value_name = "N", env = "AMPOULE_CHUNKS")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) chunks: Option<u32>,

    /// Longest wait of a generation for its text to be taken [default: as long as the request may take, and 2s of
    /// `serve`].
    #[arg(long, value_name = "TIME", env = "AMPOULE_IDLE_TIMEOUT")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) idle_timeout: Option<TimeLimit>,

    /// The most memory that loading a model may ask for [default: 1GiB].
    #[arg(long, value_name = "SIZE", env = "AMPOULE_INIT_MEMORY")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) init_memory: Option<ByteSize>,

    /// Longest time that loading a model may ask for [default: 1m].
    #[arg(long, value_name = "TIME", env = "AMPOULE_INIT_TIMEOUT")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) init_timeout: Option<TimeLimit>,

    /// The most fuel that loading a model may ask for [default: 1200000000000].
    #[arg(long, value_name = "N", env = "AMPOULE_INIT_FUEL")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) init_fuel: Option<Fuel>,

    /// The most memory that compiling a model may take [default: 4GiB].
    #[arg(long, value_name = "SIZE", env = "AMPOULE_COMPILE_MEMORY")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) compile_memory: Option<ByteSize>,

    /// Longest time that compiling a model may take [default: 2m].
    #[arg(long, value_name = "TIME", env = "AMPOULE_COMPILE_TIMEOUT")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) compile_timeout: Option<TimeLimit>,

    /// Bytes of one sandbox's log that are kept [default: 64KiB].
    #[arg(long, value_name = "SIZE", env = "AMPOULE_LOG_BYTES")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) log_bytes: Option<ByteSize>,

    /// The largest image of a request [default: 16MiB].
    #[arg(long, value_name = "SIZE", env = "AMPOULE_IMAGE_BYTES")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) image_bytes: Option<ByteSize>,

    /// The most pixels of an image, by its header [default: 16777216].
    #[arg(long, value_name = "N", env = "AMPOULE_IMAGE_PIXELS")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) image_pixels: Option<u64>,

    /// The most images of a request [default: 16].
    #[arg(long, value_name = "N", env = "AMPOULE_IMAGES")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) images: Option<usize>,

    /// The longest text of a request, in characters [default: 1000, and 32768 of `serve`].
    #[arg(long, value_name = "N", env = "AMPOULE_TEXT_CHARS")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) text_chars: Option<usize>,

    /// The most texts of a request [default: 256].
    #[arg(long, value_name = "N", env = "AMPOULE_TEXTS")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) texts: Option<usize>,

    /// The most turns of a conversation [default: 1000].
    #[arg(long, value_name = "N", env = "AMPOULE_TURNS")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) turns: Option<usize>,

    /// The largest component that is compiled [default: 64MiB].
    #[arg(long, value_name = "SIZE", env = "AMPOULE_COMPONENT_BYTES")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) component_bytes: Option<ByteSize>,

    /// The largest bundle that is read, all files together [default: 4GiB].
    #[arg(long, value_name = "SIZE", env = "AMPOULE_BUNDLE_BYTES")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) bundle_bytes: Option<ByteSize>,

    /// The most sandboxes alive at once [default: 64].
    #[arg(long, value_name = "N", env = "AMPOULE_SANDBOXES")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) sandboxes: Option<usize>,

    /// The most requests that wait for a thread [default: 256].
    #[arg(long, value_name = "N", env = "AMPOULE_QUEUE")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) queue: Option<usize>,

    /// The most models that are loaded at once [default: 2].
    #[arg(long, value_name = "N", env = "AMPOULE_LOADS")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) loads: Option<usize>,

    /// The most loads that wait for their turn [default: 256].
    #[arg(long, value_name = "N", env = "AMPOULE_WAITING_LOADS")]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) waiting_loads: Option<usize>,
}

impl LimitOptions {
    /// Sets the limits that are given, and leaves the rest.
    pub(crate) fn apply(&self, limits: &mut Limits) {
        set(&mut limits.memory, self.memory);
        set(&mut limits.deadline, self.timeout.map(|time| time.0));
        set(&mut limits.fuel, self.fuel);
        set(&mut limits.output, self.output_bytes);
        set(&mut limits.chunks, self.chunks);
        set(&mut limits.idle, self.idle_timeout.map(|time| time.0));
        set(&mut limits.init.memory, self.init_memory);
        set(
            &mut limits.init.deadline,
            self.init_timeout.map(|time| time.0),
        );
        set(&mut limits.init.fuel, self.init_fuel);
        set(&mut limits.compile.memory, self.compile_memory);
        set(
            &mut limits.compile.time,
            self.compile_timeout.map(|time| time.0),
        );
        set(&mut limits.log, self.log_bytes);
        set(&mut limits.image, self.image_bytes);
        set(&mut limits.image_pixels, self.image_pixels);
        set(&mut limits.images, self.images);
        set(&mut limits.text_chars, self.text_chars);
        set(&mut limits.texts, self.texts);
        set(&mut limits.turns, self.turns);
        set(&mut limits.component, self.component_bytes);
        set(&mut limits.bundle, self.bundle_bytes);
        set(&mut limits.sandboxes, self.sandboxes);
        set(&mut limits.queue, self.queue);
        set(&mut limits.loads, self.loads);
        set(&mut limits.waiting_loads, self.waiting_loads);
    }
}

fn set<T: Copy>(limit: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *limit = value;
    }
}

/// A set of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Preset {
    /// Limits for one's own models and requests.
    Default,
    /// Limits for models and requests of strangers.
    Strict,
}

impl Preset {
    pub(crate) fn limits(self) -> Limits {
        match self {
            Self::Default => Limits::default(),
            Self::Strict => Limits::strict(),
        }
    }
}

/// Returns the name of the option that sets a limit: the key of the configuration file's `[limits]` too.
pub(crate) fn option_of(limit: Limit) -> &'static str {
    match limit {
        Limit::Memory => "memory",
        Limit::Fuel => "fuel",
        Limit::Deadline => "timeout",
        Limit::Output => "output-bytes",
        Limit::Chunks => "chunks",
        Limit::Idle => "idle-timeout",
        Limit::InitMemory => "init-memory",
        Limit::InitFuel => "init-fuel",
        Limit::InitDeadline => "init-timeout",
        Limit::CompileMemory => "compile-memory",
        Limit::CompileTime => "compile-timeout",
        Limit::Log => "log-bytes",
        Limit::Image => "image-bytes",
        Limit::ImagePixels => "image-pixels",
        Limit::Images => "images",
        Limit::TextChars => "text-chars",
        Limit::Texts => "texts",
        Limit::Component => "component-bytes",
        Limit::Bundle => "bundle-bytes",
        Limit::Sandboxes => "sandboxes",
        Limit::Queue => "queue",
        Limit::Turns => "turns",
        Limit::Loads => "loads",
        Limit::WaitingLoads => "waiting-loads",
        // A test finds a limit without an option.
        _ => "",
    }
}

/// Returns the name of the option of `ampoule trust add` that caps a limit for a publisher's models.
pub(crate) fn cap_of(limit: Limit) -> &'static str {
    match limit {
        Limit::Memory => "cap-memory",
        Limit::Fuel => "cap-fuel",
        Limit::Deadline => "cap-timeout",
        Limit::Output => "cap-output",
        Limit::InitMemory => "cap-init-memory",
        Limit::InitFuel => "cap-init-fuel",
        Limit::InitDeadline => "cap-init-timeout",
        _ => "",
    }
}

/// A span of time as people write it: `5s`, `500ms`, `2m`, or a bare number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeLimit(pub(crate) Duration);

impl FromStr for TimeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        span(text)
            .filter(|span| *span >= Duration::from_millis(1))
            .map(Self)
            .ok_or_else(|| format!("a time such as 5s, 500ms or 2m is expected, found `{text}`"))
    }
}

/// A resolution of clocks, as people write it: `10ms`, `100us`, `1s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resolution(pub(crate) Duration);

impl FromStr for Resolution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let message = || format!("a time such as 1ms, 10ms or 100us is expected, found `{text}`");
        span(text).map(Self).ok_or_else(message)
    }
}

/// Reads a number with a unit, or of seconds; a day at most. A longer time is a mistake, and a day is far from
/// overflowing any clock.
fn span(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let micros_per_unit: u64 = match unit {
        "us" => 1,
        "ms" => 1_000,
        "" | "s" => 1_000_000,
        "m" => 60_000_000,
        _ => return None,
    };
    let micros = number.parse::<u64>().ok()?.checked_mul(micros_per_unit)?;
    let span = Duration::from_micros(micros);
    (span <= Duration::from_hours(24)).then_some(span)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    /// The value of an option that differs from every default.
    fn other_value(option: &str) -> &'static str {
        match option {
            _ if option.ends_with("timeout") => "7s",
            "chunks" | "images" | "texts" | "sandboxes" | "queue" | "text-chars" | "loads"
            | "waiting-loads" | "turns" => "7",
            "fuel" | "init-fuel" | "image-pixels" => "7",
            _ => "7MiB",
        }
    }

    #[test]
    fn every_limit_has_an_option_a_variable_and_a_key_that_set_it_and_no_other() {
        let command = LimitOptions::augment_args(clap::Command::new("limits"));
        for limit in Limit::ALL {
            let option = option_of(*limit);
            let argument = command
                .get_arguments()
                .find(|a| a.get_long() == Some(option));
            let variable = argument.and_then(clap::Arg::get_env).unwrap_or_default();
            let expected = format!("AMPOULE_{}", option.to_uppercase().replace('-', "_"));
            assert_eq!(variable, expected.as_str(), "{limit}");

            let value = other_value(option);
            let words = ["limits".to_owned(), format!("--{option}"), value.to_owned()];
            let matches = command.clone().try_get_matches_from(words).unwrap();
            let by_option = LimitOptions::from_arg_matches(&matches).unwrap();
            let by_key: LimitOptions = toml::from_str(&format!("{option} = \"{value}\"")).unwrap();
            for given in [by_option, by_key] {
                let (before, mut after) = (Limits::default(), Limits::default());
                given.apply(&mut after);
                for other in Limit::ALL {
                    let is_same = other.shown_in(&before) == other.shown_in(&after);
                    assert_eq!(is_same, other != limit, "{option} and {other}");
                }
            }
        }
    }

    #[test]
    fn the_help_of_each_limit_names_its_default() {
        let command = LimitOptions::augment_args(clap::Command::new("limits"));
        let mut named = 0;
        for limit in Limit::ALL {
            let option = option_of(*limit);
            let matching = command
                .get_arguments()
                .find(|a| a.get_long() == Some(option));
            let help = matching.unwrap().get_help().unwrap().to_string();
            let (_, default) = help.split_once("[default: ").unwrap();
            let value = default.split([',', ']']).next().unwrap();
            if !value.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            // The default is what the value sets.
            let words = ["limits".to_owned(), format!("--{option}"), value.to_owned()];
            let matches = command.clone().try_get_matches_from(words).unwrap();
            let mut limits = Limits::default();
            let default = limit.shown_in(&limits);
            LimitOptions::from_arg_matches(&matches)
                .unwrap()
                .apply(&mut limits);
            assert_eq!(limit.shown_in(&limits), default, "{option}");
            named += 1;
        }
        assert_eq!(named, Limit::ALL.len() - 1);
    }

    #[test]
    fn every_cap_that_a_message_names_is_an_option_of_trust_add() {
        let caps = ampoule_command_line::CapOptions::augment_args(clap::Command::new("caps"));
        let mut known = 0;
        for limit in Limit::ALL {
            let cap = cap_of(*limit);
            if !cap.is_empty() {
                assert!(
                    caps.get_arguments().any(|a| a.get_long() == Some(cap)),
                    "{cap}"
                );
                known += 1;
            }
        }
        assert_eq!(known, 7);
    }

    #[test]
    fn times_are_read_with_their_units() {
        for (text, millis) in [("5s", 5_000), ("500ms", 500), ("2m", 120_000), ("7", 7_000)] {
            assert_eq!(text.parse(), Ok(TimeLimit(Duration::from_millis(millis))));
        }
        for text in [
            "",
            "s",
            "5h",
            "-1s",
            "1.5s",
            "0s",
            "10us",
            "99999999999999999999s",
            "90000s",
        ] {
            assert!(text.parse::<TimeLimit>().is_err(), "{text}");
        }
    }

    #[test]
    fn resolutions_are_read_with_their_units() {
        for (text, micros) in [("1us", 1), ("10ms", 10_000), ("1", 1_000_000)] {
            assert_eq!(text.parse(), Ok(Resolution(Duration::from_micros(micros))));
        }
        for text in ["", "us", "1ns", "0.1ms", "-1us"] {
            assert!(text.parse::<Resolution>().is_err(), "{text}");
        }
    }
}
