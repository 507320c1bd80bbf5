//! Options, variables and the configuration file, made into one set of settings.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ampoule::{ByteSize, Fuel, Host, Limits, TrustStore};
use serde::Deserialize;

use crate::arguments::Arguments;
use crate::error::Error;

/// The largest configuration file that is read: a person writes a few lines.
const MAX_CONFIG_BYTES: u64 = 64 * 1024;

/// Everything that a command needs to know besides its own arguments.
#[derive(Debug)]
pub(crate) struct Settings {
    trust: Option<PathBuf>,
    pub(crate) limits: Limits,
}

/// The configuration file. Every key is an option's name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConfigFile {
    trust: Option<PathBuf>,
    #[serde(default)]
    limits: LimitSettings,
}

/// The `[limits]` table. Sizes and times are text, as on the command line.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LimitSettings {
    memory: Option<String>,
    timeout: Option<String>,
    fuel: Option<u64>,
    init_memory: Option<String>,
    init_timeout: Option<String>,
    init_fuel: Option<u64>,
    text_chars: Option<usize>,
    image_bytes: Option<String>,
}

impl Settings {
    /// Options win over variables (clap sees to that), both over the file, the file over defaults.
    pub(crate) fn resolve(arguments: &Arguments) -> Result<Self, Error> {
        let file = match &arguments.config {
            Some(path) => read_config(path)?,
            None => ConfigFile::default(),
        };
        let given = &arguments.limits;
        let mut limits = Limits::default();
        set(&mut limits.memory, given.memory, parse(file.limits.memory)?);
        set(
            &mut limits.deadline,
            given.timeout.map(|time| time.0),
            parse::<TimeLimit>(file.limits.timeout)?.map(|time| time.0),
        );
        set(
            &mut limits.fuel,
            given.fuel,
            file.limits.fuel.map(Fuel::new),
        );
        set(
            &mut limits.init.memory,
            given.init_memory,
            parse(file.limits.init_memory)?,
        );
        set(
            &mut limits.init.deadline,
            given.init_timeout.map(|time| time.0),
            parse::<TimeLimit>(file.limits.init_timeout)?.map(|time| time.0),
        );
        set(
            &mut limits.init.fuel,
            given.init_fuel,
            file.limits.init_fuel.map(Fuel::new),
        );
        set(
            &mut limits.text_chars,
            given.text_chars,
            file.limits.text_chars,
        );
        set(
            &mut limits.image,
            given.image_bytes,
            parse::<ByteSize>(file.limits.image_bytes)?,
        );
        Ok(Self {
            trust: arguments.trust.clone().or(file.trust),
            limits,
        })
    }

    /// The trust directory, which has no default: whom to trust is the operator's decision.
    pub(crate) fn trust_directory(&self) -> Result<&PathBuf, Error> {
        self.trust.as_ref().ok_or(Error::NoTrust)
    }

    /// The trust directory's content.
    pub(crate) fn trust_store(&self) -> Result<TrustStore, Error> {
        Ok(TrustStore::open(self.trust_directory()?)?)
    }

    /// A host with these settings.
    pub(crate) fn host(&self) -> Result<Host, Error> {
        Ok(Host::builder()
            .trust(self.trust_store()?)
            .limits(self.limits.clone())
            .build()?)
    }
}

fn set<T>(setting: &mut T, given: Option<T>, file: Option<T>) {
    if let Some(value) = given.or(file) {
        *setting = value;
    }
}

fn parse<T: FromStr<Err: std::fmt::Display>>(text: Option<String>) -> Result<Option<T>, Error> {
    text.map(|text| {
        text.parse()
            .map_err(|error| Error::Config(format!("`{text}`: {error}")))
    })
    .transpose()
}

fn read_config(path: &std::path::Path) -> Result<ConfigFile, Error> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| Error::Config(error.to_string()))?;
    file.take(MAX_CONFIG_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| Error::Config(error.to_string()))?;
    if text.len() as u64 > MAX_CONFIG_BYTES {
        return Err(Error::Config(format!(
            "it is over {MAX_CONFIG_BYTES} bytes; is it the right file?"
        )));
    }
    toml::from_str(&text).map_err(|error| Error::Config(error.to_string().trim().to_owned()))
}

/// A span of time as people write it: `5s`, `500ms`, `2m`, or a bare number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeLimit(pub(crate) Duration);

impl FromStr for TimeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let millis_per_unit: u64 = match unit {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" => 60_000,
            _ => 0,
        };
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(millis_per_unit))
            // A day: longer is a mistake, and far from overflowing any clock.
            .filter(|millis| (1..=86_400_000).contains(millis))
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| format!("a time such as 5s, 500ms or 2m is expected, found `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "99999999999999999999s",
            "90000s",
        ] {
            assert!(text.parse::<TimeLimit>().is_err(), "{text}");
        }
    }
}
