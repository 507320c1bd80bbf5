//! `ampoule keys`: the API keys of a server.

use std::fmt::Write as _;
use std::time::Duration;

use ampoule_access::{
    KeyDirectory, KeyName, KeyRecord, NamePattern, NewKey, Rates, Reason, Role, TaskName,
    TenantName,
};
use ampoule_command_line::shown_path;
use ampoule_signing::{Timestamp, text};
use serde::Serialize;
use serde_json::json;

use crate::age::Age;
use crate::error::Error;
use crate::keys_arguments::{KeyOptions, KeysAction, KeysCommand};
use crate::output;
use crate::settings::Settings;

pub(crate) fn run(command: KeysCommand, settings: &Settings, json: bool) -> Result<(), Error> {
    let path = command.keys.ok_or(Error::NoKeys)?;
    let directory = KeyDirectory::new(&path, settings.permissions.clone());
    let done = act(&directory, command.action, json);
    done.map_err(|error| match error {
        Error::Access(error) => Error::Keys {
            directory: shown_path(&path),
            error,
        },
        other => other,
    })
}

fn act(directory: &KeyDirectory, action: KeysAction, json: bool) -> Result<(), Error> {
    let now = ampoule_signing::now()?;
    match action {
        KeysAction::Add(options) => add(directory, *options, now, json),
        KeysAction::List { all } => list(directory, all, now, json),
        KeysAction::Revoke { names, tenant } => {
            let revoked = match tenant {
                Some(tenant) => revoke_tenant(directory, &tenant, now)?,
                None => directory.revoke(&names, now)?,
            };
            show_names("revoked", revoked.iter().map(|key| key.name), json)
        }
        KeysAction::Rotate {
            name,
            grace: Age(grace),
            now: is_at_once,
        } => {
            let grace = if is_at_once { Duration::ZERO } else { grace };
            show_new(&directory.rotate(name, grace, now)?, now, json)
        }
        KeysAction::Prune => show_names("removed", directory.prune(now)?, json),
    }
}

/// A key without its secret and without the hash of it.
#[derive(Serialize)]
struct Shown<'k> {
    name: KeyName,
    /// `live`, `revoked` or `expired`.
    state: &'static str,
    role: Role,
    tenant: &'k TenantName,
    created: Timestamp,
    not_after: Option<Timestamp>,
    revoked: Option<Timestamp>,
    replaces: Option<KeyName>,
    /// `null`: all.
    models: Option<&'k [NamePattern]>,
    /// `null`: all.
    tasks: Option<&'k [TaskName]>,
    rates: &'k Rates,
    note: Option<&'k str>,
}

impl<'k> Shown<'k> {
    fn new(key: &'k KeyRecord, now: Timestamp) -> Self {
        let settings = &key.settings;
        Self {
            name: key.name,
            state: key.ended(now).map_or("live", Reason::code),
            role: settings.role,
            tenant: &settings.tenant,
            created: key.created,
            not_after: settings.not_after,
            revoked: key.revoked,
            replaces: key.replaces,
            models: settings.scope.models.as_deref(),
            tasks: settings.scope.tasks.as_deref(),
            rates: &settings.rates,
            note: settings.note.as_deref(),
        }
    }

    /// Describes the key in a line.
    fn to_text(&self) -> String {
        let mut line = format!("{}  {:<7}  {}", self.name, self.role, self.tenant);
        // Writing to a text cannot fail.
        let _ = match (self.state, self.revoked, self.not_after) {
            ("live", _, None) => Ok(()),
            ("live", _, Some(end)) => write!(line, "  until {end}"),
            (_, Some(end), _) => write!(line, "  REVOKED at {end}"),
            (_, None, Some(end)) => write!(line, "  EXPIRED at {end}"),
            (_, None, None) => Ok(()),
        };
        if let Some(models) = self.models {
            let _ = write!(line, "  models {}", joined(models));
        }
        if let Some(tasks) = self.tasks {
            let _ = write!(line, "  tasks {}", joined(tasks));
        }
        let rates = self.rates;
        let named = [
            ("requests", rates.requests.map(|rate| rate.to_string())),
            ("burst", rates.burst.map(|burst| burst.to_string())),
            ("tokens", rates.tokens.map(|rate| rate.to_string())),
            ("fuel", rates.fuel.map(|rate| rate.to_string())),
            ("concurrent", rates.concurrent.map(|most| most.to_string())),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                let _ = write!(line, "  {name} {value}");
            }
        }
        if let Some(replaced) = self.replaces {
            let _ = write!(line, "  in place of {replaced}");
        }
        if let Some(note) = self.note {
            let _ = write!(line, "  # {}", text::line(note));
        }
        line.push('\n');
        line
    }
}

fn joined(names: &[impl ToString]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    names.join(",")
}

fn add(
    directory: &KeyDirectory,
    options: KeyOptions,
    now: Timestamp,
    json: bool,
) -> Result<(), Error> {
    show_new(&directory.add(options.settings(now)?, now)?, now, json)
}

#[derive(Serialize)]
struct Made<'k> {
    /// The key itself.
    key: &'k str,
    #[serde(flatten)]
    shown: Shown<'k>,
}

/// Prints a key, for the one time that it can be.
fn show_new(new: &NewKey, now: Timestamp, json: bool) -> Result<(), Error> {
    let mut key = new.text.reveal();
    let shown = Shown::new(&new.record, now);
    if json {
        return output::json(&Made { key: &key, shown });
    }
    key.push('\n');
    output::write(&key)?;
    output::note(&format!(
        "keep the key now: it is not shown again; its name is {}",
        shown.name
    ));
    Ok(())
}

fn list(directory: &KeyDirectory, all: bool, now: Timestamp, json: bool) -> Result<(), Error> {
    let keys = directory.list()?;
    let is_shown = |key: &&KeyRecord| all || key.ended(now).is_none();
    let shown = keys.iter().filter(is_shown);
    let shown: Vec<_> = shown.map(|key| Shown::new(key, now)).collect();
    if json {
        return output::json(&json!({ "keys": shown }));
    }
    output::write(&shown.iter().map(Shown::to_text).collect::<String>())
}

/// Revokes the keys of a tenant that must have some: a mistyped name must not pass for a revocation.
fn revoke_tenant(
    directory: &KeyDirectory,
    tenant: &TenantName,
    now: Timestamp,
) -> Result<Vec<KeyRecord>, Error> {
    let revoked = directory.revoke_tenant(tenant, now)?;
    if revoked.is_empty() {
        return Err(Error::NothingToRevoke(tenant.clone()));
    }
    Ok(revoked)
}

fn show_names(
    done: &str,
    names: impl IntoIterator<Item = KeyName>,
    json: bool,
) -> Result<(), Error> {
    let names: Vec<_> = names.into_iter().collect();
    if json {
        return output::json(&json!({ done: names }));
    }
    let lines = names.iter().map(|name| format!("{done} {name}\n"));
    let count = match names.len() {
        1 => format!("1 key {done}\n"),
        count => format!("{count} keys {done}\n"),
    };
    output::write(&lines.chain([count]).collect::<String>())
}
