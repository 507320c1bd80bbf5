//! Options of the server's TLS.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use ampoule_server::MinTlsVersion;
use clap::Args;
use serde::Deserialize;

use crate::config_value::from_text;

/// Each setting that is given. In the file, under `[server.tls]`, the names are those of the options without `tls-`.
#[derive(Debug, Default, Clone, Args, Deserialize)]
#[command(next_help_heading = "TLS")]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TlsOptions {
    /// File with the server's certificate in PEM, and after it those that lead to its issuer. With it the server speaks
    /// TLS. A new file takes over within a second.
    #[arg(
        id = "tls-certificate",
        long = "tls-certificate",
        value_name = "FILE",
        env = "AMPOULE_TLS_CERTIFICATE"
    )]
    pub(crate) certificate: Option<PathBuf>,

    /// File with the certificate's private key in PEM, which its owner alone can read.
    #[arg(
        id = "tls-key",
        long = "tls-key",
        value_name = "FILE",
        env = "AMPOULE_TLS_KEY"
    )]
    pub(crate) key: Option<PathBuf>,

    /// The oldest version of TLS that is spoken, 1.2 or 1.3 [default: 1.2].
    #[arg(
        id = "tls-min-version",
        long = "tls-min-version",
        value_name = "VERSION",
        env = "AMPOULE_TLS_MIN_VERSION"
    )]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) min_version: Option<MinTlsVersion>,

    /// File with the certificates in PEM of those who issue certificates to clients.
    #[arg(
        id = "tls-client-ca",
        long = "tls-client-ca",
        value_name = "FILE",
        env = "AMPOULE_TLS_CLIENT_CA"
    )]
    pub(crate) client_ca: Option<PathBuf>,

    /// Clients' certificates, optional or required [default: optional]. A client without a required one is refused.
    #[arg(
        id = "tls-client-certificates",
        long = "tls-client-certificates",
        value_name = "WHEN",
        env = "AMPOULE_TLS_CLIENT_CERTIFICATES"
    )]
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) client_certificates: Option<ClientsAre>,
}

/// The need of clients' certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientsAre {
    Optional,
    Required,
}

impl FromStr for ClientsAre {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "optional" => Ok(Self::Optional),
            "required" => Ok(Self::Required),
            _ => {
                let found = ampoule::harmless_text(text);
                Err(format!("optional or required is expected, found `{found}`"))
            }
        }
    }
}

impl TlsOptions {
    /// Returns these settings, and those of `file` where these have none.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            certificate: self.certificate.or(file.certificate),
            key: self.key.or(file.key),
            min_version: self.min_version.or(file.min_version),
            client_ca: self.client_ca.or(file.client_ca),
            client_certificates: self.client_certificates.or(file.client_certificates),
        }
    }

    /// Returns the files of the certificate and of its key; `None` where the server is to have no TLS.
    ///
    /// # Errors
    ///
    /// Words about a setting without the other that it needs, with the setting's key.
    pub(crate) fn files(&self) -> Result<Option<(&Path, &Path)>, (&'static str, String)> {
        let alone = |key, option: &str, other: &str| {
            let words = format!("--tls-{option} is of no use without --tls-{other}; give both");
            Err((key, words))
        };
        let others = [
            (
                "server.tls.min-version",
                "min-version",
                self.min_version.is_some(),
            ),
            (
                "server.tls.client-ca",
                "client-ca",
                self.client_ca.is_some(),
            ),
            (
                "server.tls.client-certificates",
                "client-certificates",
                self.client_certificates.is_some(),
            ),
        ];
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                if self.client_certificates.is_some() && self.client_ca.is_none() {
                    let key = "server.tls.client-certificates";
                    return alone(key, "client-certificates", "client-ca");
                }
                Ok(Some((certificate, key)))
            }
            (Some(_), None) => alone("server.tls.certificate", "certificate", "key"),
            (None, Some(_)) => alone("server.tls.key", "key", "certificate"),
            (None, None) => match others.iter().find(|(_, _, is_given)| *is_given) {
                Some((key, option, _)) => alone(key, option, "certificate"),
                None => Ok(None),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    #[test]
    fn every_setting_has_an_option_a_variable_and_a_key_that_do_the_same() {
        let command = TlsOptions::augment_args(clap::Command::new("server"));
        let mut seen = vec![format!("{:?}", TlsOptions::default())];
        for argument in command.get_arguments() {
            let option = argument.get_long().unwrap();
            let variable = format!("AMPOULE_{}", option.to_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().unwrap(), variable.as_str());
            let value = match option {
                "tls-min-version" => "1.3",
                "tls-client-certificates" => "required",
                _ => "file.pem",
            };
            let words = ["server".to_owned(), format!("--{option}"), value.to_owned()];
            let matches = command.clone().try_get_matches_from(words).unwrap();
            let by_option = TlsOptions::from_arg_matches(&matches).unwrap();
            let key = option.strip_prefix("tls-").unwrap();
            let by_key: TlsOptions = toml::from_str(&format!("{key} = \"{value}\"")).unwrap();
            let by_key = format!("{:?}", TlsOptions::default().or(by_key));
            assert_eq!(format!("{by_option:?}"), by_key, "{option}");
            assert!(!seen.contains(&by_key), "{option} sets nothing of its own");
            seen.push(by_key);
        }
    }

    #[test]
    fn a_setting_without_the_one_that_it_needs_is_refused() {
        for (text, expected) in [
            ("", Ok(false)),
            ("certificate = 'a'\nkey = 'b'", Ok(true)),
            ("certificate = 'a'", Err("server.tls.certificate")),
            ("key = 'a'", Err("server.tls.key")),
            ("client-ca = 'a'", Err("server.tls.client-ca")),
            ("min-version = '1.3'", Err("server.tls.min-version")),
            (
                "certificate = 'a'\nkey = 'b'\nclient-certificates = 'required'",
                Err("server.tls.client-certificates"),
            ),
        ] {
            let options: TlsOptions = toml::from_str(text).unwrap();
            let files = options.files();
            let found = files.map(|files| files.is_some()).map_err(|(key, _)| key);
            assert_eq!(found, expected, "{text}");
        }
    }
}
