//! The command line of `ampoule keys`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ampoule::Task;
use ampoule_access::{
    KeyName, KeySettings, NamePattern, Rate, Rates, Role, Scope, TaskName, TenantName,
};
use ampoule_signing::{ParseError, Timestamp, text};
use clap::{Args, Subcommand};

use crate::age::Age;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct KeysCommand {
    #[command(subcommand)]
    pub(crate) action: KeysAction,

    /// Key directory: the API keys, as keyed hashes.
    #[arg(long, global = true, value_name = "DIR", env = "AMPOULE_KEYS")]
    pub(crate) keys: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Make a key, and the key directory if there is none. The key is printed once and is nowhere else.
    ///
    /// Standard output has the key and nothing else.
    #[command(
        after_help = "Example:\n  ampoule keys add --keys keys --role infer --tenant acme\n\nFor two models, three \
                      months and a hundred requests a minute:\n  ampoule keys add --keys keys --role infer --tenant \
                      acme \\\n    --models 'minilm,tiny-*' --for 90d --requests 100/1m --burst 20"
    )]
    Add(Box<KeyOptions>),
    /// List the keys that have not ended, without their secrets.
    #[command(after_help = "Example:\n  ampoule keys list --keys keys --all")]
    List {
        /// List those that have ended too.
        #[arg(long)]
        all: bool,
    },
    /// End keys now.
    #[command(
        after_help = "Example:\n  ampoule keys revoke --keys keys 3f9c2a7be1d04c58\n  ampoule keys revoke --keys \
                      keys --tenant acme"
    )]
    Revoke {
        /// Names of keys, as `ampoule keys list` shows them: all of them are revoked, or none.
        #[arg(value_name = "NAME", required_unless_present = "tenant", value_parser = parse_name)]
        names: Vec<KeyName>,
        /// Instead: tenant all of whose keys are revoked.
        #[arg(long, value_name = "TENANT", conflicts_with = "names")]
        tenant: Option<TenantName>,
    },
    /// Make a key in the place of another, with the same settings and for as long. The new key is printed once.
    #[command(
        after_help = "Example:\n  ampoule keys rotate --keys keys 3f9c2a7be1d04c58 --grace 12h"
    )]
    Rotate {
        /// Name of the key, as `ampoule keys list` shows it.
        #[arg(value_name = "NAME", value_parser = parse_name)]
        name: KeyName,
        /// Time in which the old key is still accepted, so that its holder can change over.
        #[arg(
            long,
            value_name = "TIME",
            default_value = "24h",
            conflicts_with = "now"
        )]
        grace: Age,
        /// End the old key now: it may have been stolen.
        #[arg(long)]
        now: bool,
    },
    /// Remove the keys that ended over 30 days ago.
    #[command(after_help = "Example:\n  ampoule keys prune --keys keys")]
    Prune,
}

/// Settings of a new key.
#[derive(Debug, Args)]
pub(crate) struct KeyOptions {
    /// Role: `infer` asks models and lists them, `list` lists them, `metrics` reads metrics, `admin` does everything.
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// Tenant that the key belongs to: a-z, 0-9, and -._ inside. A tenant's keys share its limits and its turns in the
    /// queue.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantName,
    /// Models that the key is for, by the names that they are served under, separated by commas: names, or their
    /// beginnings and a `*`. Others do not exist for its holder. By default all.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    models: Option<Vec<NamePattern>>,
    /// Tasks that the key is for, such as text-embedding, separated by commas. By default all.
    #[arg(long, value_name = "TASK,…", value_delimiter = ',', value_parser = parse_task)]
    tasks: Option<Vec<TaskName>>,
    /// End of the key, such as 2027-12-31T00:00:00Z. By default it has none.
    #[arg(long, value_name = "TIME", value_parser = parse_end, conflicts_with = "lifetime")]
    not_after: Option<Timestamp>,
    /// Time from now to the end of the key, such as 90d or 12h.
    #[arg(id = "lifetime", long = "for", value_name = "TIME")]
    lifetime: Option<Age>,
    /// Requests in a time, such as 100/1m.
    #[arg(long, value_name = "RATE")]
    requests: Option<Rate>,
    /// Requests that may come at once after a pause. By default as many as --requests names.
    #[arg(long, value_name = "N", requires = "requests")]
    burst: Option<NonZeroU32>,
    /// Tokens in a time, those of prompts and of answers together, such as 200000/1m.
    #[arg(id = "token-rate", long = "tokens", value_name = "RATE")]
    tokens: Option<Rate>,
    /// Fuel in a time, such as 5e12/1h.
    #[arg(id = "fuel-rate", long = "fuel", value_name = "RATE")]
    fuel: Option<Rate>,
    /// Requests that may be answered at one time.
    #[arg(long, value_name = "N")]
    concurrent: Option<NonZeroU32>,
    /// Remark that `ampoule keys list` shows: a line.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl KeyOptions {
    /// Returns the settings of a key that is made now.
    pub(crate) fn settings(self, now: Timestamp) -> Result<KeySettings, Error> {
        let not_after = match self.lifetime {
            Some(Age(lifetime)) => Some(after(now, lifetime)?),
            None => self.not_after,
        };
        if let Some(end) = not_after.filter(|end| *end <= now) {
            return Err(Error::Setting(format!(
                "expected an end in the future, found {end}: the key would never be accepted"
            )));
        }
        Ok(KeySettings {
            scope: Scope {
                models: self.models,
                tasks: self.tasks,
            },
            rates: Rates {
                requests: self.requests,
                burst: self.burst,
                tokens: self.tokens,
                fuel: self.fuel,
                concurrent: self.concurrent,
            },
            not_after,
            note: self.note,
            ..KeySettings::new(self.role, self.tenant)
        })
    }
}

fn after(now: Timestamp, time: Duration) -> Result<Timestamp, Error> {
    let whole = Timestamp::from_second(now.as_second()).unwrap_or(now);
    whole.checked_add(time).map_err(|_| {
        Error::Setting("expected an end before the year 10000, found a later one".to_owned())
    })
}

/// Reads the name of a key. A whole key will do, or one that was cut: a refusal would repeat it on the terminal and in
/// logs.
fn parse_name(text: &str) -> Result<KeyName, ParseError> {
    let name = text.strip_prefix("amp_").and_then(|key| key.get(..16));
    name.unwrap_or(text).parse()
}

fn parse_end(time: &str) -> Result<Timestamp, ParseError> {
    time.parse().map_err(|_| {
        let found = text::name(time);
        ParseError(format!(
            "expected a time such as 2027-12-31T00:00:00Z, found {found:?}"
        ))
    })
}

/// Reads the name of a task that this host knows: a mistyped one would be a key that may do nothing.
fn parse_task(name: &str) -> Result<TaskName, ParseError> {
    let task = Task::from_name(name).ok_or_else(|| {
        let known = Task::ALL.map(Task::name).join(", ");
        let found = text::name(name);
        ParseError(format!("expected one of {known}, found {found:?}"))
    })?;
    task.name().parse()
}
