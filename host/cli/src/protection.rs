//! Protection of a server, by its settings.

use std::collections::HashMap;
use std::path::Path;

use ampoule_access::{KeyDirectory, KeyStore, MacKeySource, Role, Tokens};
use ampoule_command_line::shown_path;
use ampoule_server::Protection;

use crate::answer_cache;
use crate::auth_options::{AuthOptions, CertificateOptions};
use crate::error::Error;
use crate::settings::Settings;

/// Makes the protection. It follows changes of the key directory and of issuers' keys from now on.
pub(crate) fn of(options: &AuthOptions, settings: &Settings) -> Result<Protection, Error> {
    let source = mac_key(options, settings)?;
    let mut protection = match options.keys() {
        Some(keys) => Protection::by_keys(open(keys, source, settings)?),
        None => Protection::off(),
    };
    if let Some(tokens) = tokens(options, settings)? {
        protection = protection.with_tokens(tokens);
    }
    if let Some(answers) = &settings.answer_cache {
        protection = protection.with_answers(answer_cache::open(answers, settings)?);
    }
    let certificates = options.certificates();
    if !certificates.is_empty() {
        if options.keys().is_none() {
            let error = Error::Setting(
                "certificates of callers stand for API keys, and no key directory is named; name it with --keys or \
                 with `keys` under [auth]"
                    .to_owned(),
            );
            return Err(error.at(settings.table_place("auth.certificate[0]")));
        }
        check_subjects(certificates, settings)?;
        let certificates = certificates.iter();
        protection =
            protection.with_certificates(certificates.map(|of| (of.subject.clone(), of.key)));
    }
    let limits = &settings.rate_limits;
    limits.check(protection.is_on(), |key| settings.table_place(key))?;
    let protection = limits.limit(protection);
    match options.strangers() {
        Some(role) => let_in(role, protection, settings),
        None => Ok(protection),
    }
}

/// Refuses a subject that stands in two tables: one of its keys would never be used.
fn check_subjects(certificates: &[CertificateOptions], settings: &Settings) -> Result<(), Error> {
    let mut tables = HashMap::new();
    for (number, certificate) in certificates.iter().enumerate() {
        let Some(first) = tables.insert(&certificate.subject, number) else {
            continue;
        };
        let table = format!("auth.certificate[{number}]");
        let place = settings.table_place(&format!("{table}.subject"));
        let place = place.or_else(|| settings.table_place(&table));
        let first = settings.table_place(&format!("auth.certificate[{first}]"));
        let first = first.map_or_else(|| "another table".to_owned(), |place| place.to_string());
        let message = format!(
            "the subject `{}` has a key already, by {first}; name each subject once",
            ampoule::harmless_text(&certificate.subject.to_string())
        );
        return Err(Error::Setting(message).at(place));
    }
    Ok(())
}

/// Lets callers in who have no credential.
fn let_in(role: Role, protection: Protection, settings: &Settings) -> Result<Protection, Error> {
    let fault = |message: &str| {
        let place = settings.place("auth.anonymous-role");
        Err(Error::Setting(message.to_owned()).at(place))
    };
    if !protection.is_on() {
        return fault(
            "anonymous-role says what callers without a key may do beside those with one; name a key directory with \
             --keys, or leave anonymous-role out: without keys everybody may ask for everything",
        );
    }
    if !settings.rate_limits.limit_addresses() {
        return fault(
            "callers without a key are limited by their addresses alone; write `address = { requests = \"30/1m\" }`, or \
             another rate, under `[rate-limits]` in the configuration file",
        );
    }
    Ok(protection.with_strangers(role))
}

fn open(path: &Path, source: MacKeySource, settings: &Settings) -> Result<KeyStore, Error> {
    let directory = KeyDirectory::new(path, settings.permissions.clone());
    KeyStore::open(directory, source).map_err(|error| {
        let error = Error::Keys {
            directory: shown_path(path),
            error,
        };
        error.at(settings.place("auth.keys"))
    })
}

/// Reads the MAC key where another place than the key directory is named for it.
fn mac_key(options: &AuthOptions, settings: &Settings) -> Result<MacKeySource, Error> {
    let at = |error: Error| error.at(settings.table_place(options.mac_key_setting()));
    let Some(source) = options.mac_key().map_err(at)? else {
        return Ok(MacKeySource::Directory);
    };
    if options.keys().is_none() {
        return Err(at(Error::Setting(
            "a MAC key is for a key directory, and none is named; name it with `keys`".to_owned(),
        )));
    }
    let text = source.read("the MAC key", &settings.permissions);
    let key = text.map_err(at)?.parse();
    key.map(MacKeySource::Given)
        .map_err(|error: ampoule_signing::ParseError| at(Error::Setting(error.to_string())))
}

/// Reads the keys of the issuers of tokens, if there are any issuers.
fn tokens(options: &AuthOptions, settings: &Settings) -> Result<Option<Tokens>, Error> {
    let place = || settings.table_place("auth.session-timeout");
    let session = options.session().map_err(|error| error.at(place()))?;
    let issuers = options.issuers();
    if issuers.is_empty() {
        return Ok(None);
    }
    let opened = issuers.iter().enumerate();
    let opened = opened.map(|(place, issuer)| {
        let table = format!("auth.jwt[{place}]");
        issuer.open(&settings.permissions, |key| {
            let of_key = settings.table_place(&format!("{table}.{key}"));
            of_key.or_else(|| settings.table_place(&table))
        })
    });
    let tokens = Tokens::of(opened.collect::<Result<_, _>>()?, session);
    let place = || settings.table_place("auth.jwt");
    tokens
        .map(Some)
        .map_err(|error| Error::from(error).at(place()))
}
