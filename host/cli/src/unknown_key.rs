//! Keys that the configuration file cannot have, for errors: where a key belongs, or which one is meant.

use ampoule_signing::text;
use serde::de::DeserializeOwned;

/// Keys that somebody might give a secret to.
const SECRETS: [&str; 2] = ["mac-key", "secret"];

/// Returns the parser's message, with the place of an unknown key that belongs elsewhere, or with the known key that
/// looks like it. `tables` has the keys of each table, under the words for its place.
pub(crate) fn explained(message: &str, tables: &[(&str, Vec<String>)]) -> String {
    let shown = text::sentence(message);
    match unknown(message).and_then(|(key, known)| hint(key, &known, tables)) {
        Some(hint) => format!("{shown}; {hint}"),
        None => shown,
    }
}

/// Reads the unknown key from the message of serde's derived code, and the keys that are known in its place.
fn unknown(message: &str) -> Option<(&str, Vec<&str>)> {
    let (key, known) = message.strip_prefix("unknown field `")?.split_once('`')?;
    Some((key, known.split('`').skip(1).step_by(2).collect()))
}

fn hint(key: &str, known: &[&str], tables: &[(&str, Vec<String>)]) -> Option<String> {
    if ["access-log", "guest-log", "log-format"].contains(&key) {
        return Some(format!(
            "the log begins before this file is read, so `{key}` is only an option of `ampoule serve`, --{key}, and a \
             variable"
        ));
    }
    if SECRETS.contains(&key) {
        return Some(format!(
            "no secret is read from this file, which others may see; name a variable with `{key}-env`, a file with \
             `{key}-file` or a credential of the service manager with `{key}-credential`"
        ));
    }
    let belongs = tables
        .iter()
        .find(|(_, keys)| keys.iter().any(|other| other == key));
    if let Some((place, _)) = belongs {
        return Some(format!("`{key}` belongs {place}"));
    }
    let meant = known.iter().find(|other| is_near(key, other))?;
    Some(match *meant {
        "model" => "write `[[model]]`".to_owned(),
        meant => format!("did you mean `{meant}`?"),
    })
}

/// Lists the keys of a table, as its own refusal of an unknown one does.
pub(crate) fn keys_of<T: DeserializeOwned>() -> Vec<String> {
    let refused = toml::from_str::<T>("\"?\" = 1").err();
    let message = refused.map(|error| error.message().to_owned());
    let known = message.as_deref().and_then(unknown);
    let known = known.map(|(_, known)| known.into_iter().map(str::to_owned).collect());
    known.unwrap_or_default()
}

/// Tells whether one key becomes the other by one letter more, less or changed, or by two neighbours that change places.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    let begin = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[begin..], &other[begin..]);
    let end = one.iter().rev().zip(other.iter().rev());
    let end = end.take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[..one.len() - end], &other[..other.len() - end]);
    let is_swapped = matches!((one, other), ([a, b], [c, d]) if a == d && b == c);
    is_swapped || (one.len() <= 1 && other.len() <= 1)
}
