//! `ampoule cache`: the compiled models that are kept on this machine.

use std::fmt::Write as _;

use ampoule::{CacheEntry, CodeCache};
use serde::Serialize;

use crate::arguments::{CacheAction, CacheCommand};
use crate::error::Error;
use crate::output;
use crate::settings::Settings;

#[derive(Serialize)]
struct Listing {
    entries: Vec<CacheEntry>,
}

#[derive(Serialize)]
struct Pruned {
    removed: Vec<CacheEntry>,
}

#[derive(Serialize)]
struct Cleared {
    removed: usize,
}

pub(crate) fn run(command: &CacheCommand, settings: &Settings, json: bool) -> Result<(), Error> {
    let cache = settings.code_cache().ok_or(Error::NoCache)?;
    match command.action {
        CacheAction::List => show(cache.list()?, json),
        CacheAction::Verify => verify(&cache, json),
        CacheAction::Prune => prune(&cache, json),
        CacheAction::Clear => clear(&cache, json),
    }
}

fn show(entries: Vec<CacheEntry>, json: bool) -> Result<(), Error> {
    if json {
        return output::json(&Listing { entries });
    }
    output::write(&to_text(&entries))
}

/// Shows all entries, and fails when one of them cannot be used.
fn verify(cache: &CodeCache, json: bool) -> Result<(), Error> {
    let entries = cache.verify()?;
    let bad = entries.iter().filter(|entry| entry.problem.is_some());
    let bad = bad.count();
    if bad == 0 {
        return show(entries, json);
    }
    if !json {
        output::write(&to_text(&entries))?;
    }
    Err(Error::BadCache { bad })
}

fn prune(cache: &CodeCache, json: bool) -> Result<(), Error> {
    let removed = cache.prune()?;
    if json {
        return output::json(&Pruned { removed });
    }
    let mut text = lines(&removed);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} entries removed", removed.len());
    output::write(&text)
}

fn clear(cache: &CodeCache, json: bool) -> Result<(), Error> {
    let removed = cache.clear()?;
    if json {
        return output::json(&Cleared { removed });
    }
    output::write(&format!("{removed} entries removed\n"))
}

fn to_text(entries: &[CacheEntry]) -> String {
    if entries.is_empty() {
        return "the cache is empty\n".to_owned();
    }
    lines(entries)
}

fn lines(entries: &[CacheEntry]) -> String {
    let mut text = String::new();
    for entry in entries {
        // A file's name, which anything may stand in.
        let identity = entry.identity.escape_debug().to_string();
        // Writing to a string cannot fail.
        let _ = match &entry.problem {
            None => writeln!(
                text,
                "{identity:.16}  {:>9.1} MiB  made {:.0}  used {:.0}  {:?}",
                entry.size.bytes() as f64 / f64::from(1 << 20),
                entry.created,
                entry.used,
                entry.model
            ),
            Some(problem) => writeln!(text, "{identity:.16}  bad: {problem:?}"),
        };
    }
    text
}
