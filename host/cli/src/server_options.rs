//! Options of the server: one list for options, variables and the configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ampoule::{ByteSize, Capability, Fuel, ModelReference, RequestLimits};
use ampoule_access::Network;
use ampoule_command_line::parse_switch;
use ampoule_server::{
    Collector, ConnectionSettings, CorsOrigin, HostName, HostNames, ServiceSettings,
};
use clap::Args;
use serde::Deserialize;

use crate::config_value::{from_text, from_texts, list_of_texts};
use crate::limit_options::TimeLimit;
use crate::listen_address::ListenAddress;
use crate::tls_options::TlsOptions;

/// Longest time for running requests after a signal to end. Service managers kill after 30 to 90 s.
const DEFAULT_DRAIN: Duration = Duration::from_secs(25);

/// Each setting of the server that is given. In the file, under `[server]`, the names are those of the options.
#[derive(Debug, Default, Clone, Args, Deserialize)]
#[command(next_help_heading = "Server")]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ServerOptions {
    /// Address and port to listen on [default: 127.0.0.1:8080]. Port 0 takes one that is free, which is printed.
    #[arg(long, value_name = "ADDRESS:PORT", env = "AMPOULE_LISTEN")]
    #[serde(default, deserialize_with = "from_text")]
    listen: Option<ListenAddress>,

    /// Longest time after a signal to end for requests that have begun [default: 25s].
    #[arg(long, value_name = "TIME", env = "AMPOULE_DRAIN_TIMEOUT")]
    #[serde(default, deserialize_with = "from_text")]
    drain_timeout: Option<TimeLimit>,

    /// The largest body of a request [default: 32MiB].
    #[arg(long, value_name = "SIZE", env = "AMPOULE_BODY_BYTES")]
    #[serde(default, deserialize_with = "from_text")]
    body_bytes: Option<ByteSize>,

    /// Longest time for a request's body to arrive [default: 1m].
    #[arg(long, value_name = "TIME", env = "AMPOULE_BODY_TIMEOUT")]
    #[serde(default, deserialize_with = "from_text")]
    body_timeout: Option<TimeLimit>,

    /// The most memory for the bodies of all requests that are being read or answered [default: 256MiB].
    #[arg(long, value_name = "SIZE", env = "AMPOULE_BODIES_BYTES")]
    #[serde(default, deserialize_with = "from_text")]
    bodies_bytes: Option<ByteSize>,

    /// The most connections at one time [default: 1024]. The limit of descriptors may allow fewer.
    #[arg(long, value_name = "N", env = "AMPOULE_CONNECTIONS")]
    #[serde(default, deserialize_with = "from_text")]
    connections: Option<Count>,

    /// Longest time for a request's head to arrive [default: 10s].
    #[arg(long, value_name = "TIME", env = "AMPOULE_HEAD_TIMEOUT")]
    #[serde(default, deserialize_with = "from_text")]
    head_timeout: Option<TimeLimit>,

    /// Longest time between two requests of a connection [default: 2m].
    #[arg(long, value_name = "TIME", env = "AMPOULE_KEEP_ALIVE_TIMEOUT")]
    #[serde(default, deserialize_with = "from_text")]
    keep_alive_timeout: Option<TimeLimit>,

    /// Time in which a slow reader of an answer has to take 64 KiB or the rest [default: 30s].
    #[arg(long, value_name = "TIME", env = "AMPOULE_STALL_TIMEOUT")]
    #[serde(default, deserialize_with = "from_text")]
    stall_timeout: Option<TimeLimit>,

    /// Longest time for the rest of a refused upload, which is thrown away [default: 15s].
    #[arg(long, value_name = "TIME", env = "AMPOULE_LINGER_TIMEOUT")]
    #[serde(default, deserialize_with = "from_text")]
    linger_timeout: Option<TimeLimit>,

    /// The most texts of one request for vectors, over all sandboxes that share it [default: 2048].
    #[arg(long, value_name = "N", env = "AMPOULE_REQUEST_TEXTS")]
    #[serde(default, deserialize_with = "from_text")]
    request_texts: Option<Count>,

    /// The most answers that one request asks for: prompts times `n` [default: 16].
    #[arg(long, value_name = "N", env = "AMPOULE_REQUEST_CHOICES")]
    #[serde(default, deserialize_with = "from_text")]
    request_choices: Option<Count>,

    /// Silence of a stream after which an empty piece is sent [default: 10s].
    #[arg(long, value_name = "TIME", env = "AMPOULE_STREAM_SILENCE")]
    #[serde(default, deserialize_with = "from_text")]
    stream_silence: Option<TimeLimit>,

    /// Further names by which the server lets itself be called, beside localhost and loopback addresses; commas
    /// separate them. A request that
    /// calls it by another is refused: a page of another site could have made it.
    #[arg(
        long,
        value_name = "NAME",
        env = "AMPOULE_HOST_NAMES",
        value_delimiter = ','
    )]
    #[serde(default, deserialize_with = "from_texts")]
    host_names: Option<Vec<HostName>>,

    /// OpenTelemetry collector that a trace of each request is sent to, such as http://127.0.0.1:4318. For programs that
    /// are built with the feature `otel`.
    #[arg(long, value_name = "URL", env = "AMPOULE_TRACES")]
    #[serde(default, deserialize_with = "from_text")]
    traces: Option<Collector>,

    /// Origins of pages that may ask the server and read its answers, such as `https://app.example`; commas separate them.
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "AMPOULE_CORS_ORIGINS",
        value_delimiter = ','
    )]
    #[serde(default, deserialize_with = "from_texts")]
    cors_origins: Option<Vec<CorsOrigin>>,

    /// Networks of proxies whose headers tell a client's address, such as 10.0.0.0/8; commas separate them.
    #[arg(
        long,
        value_name = "NETWORK",
        env = "AMPOULE_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    #[serde(default, deserialize_with = "from_texts")]
    trusted_proxies: Option<Vec<Network>>,

    /// Say that TLS ends at the trusted proxies. Other machines may reach the server then, and a credential that came to
    /// a proxy without TLS is refused.
    #[arg(long, env = "AMPOULE_BEHIND_PROXY", value_parser = parse_switch, num_args = 0, default_missing_value = "true")]
    behind_proxy: Option<bool>,

    /// The configuration file's table `[server.tls]`. Its options stand beside these.
    #[arg(skip)]
    #[serde(default)]
    pub(crate) tls: TlsOptions,
}

impl ServerOptions {
    /// Returns these settings, and those of `file` where these have none.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            listen: self.listen.or(file.listen),
            drain_timeout: self.drain_timeout.or(file.drain_timeout),
            body_bytes: self.body_bytes.or(file.body_bytes),
            body_timeout: self.body_timeout.or(file.body_timeout),
            bodies_bytes: self.bodies_bytes.or(file.bodies_bytes),
            connections: self.connections.or(file.connections),
            head_timeout: self.head_timeout.or(file.head_timeout),
            keep_alive_timeout: self.keep_alive_timeout.or(file.keep_alive_timeout),
            stall_timeout: self.stall_timeout.or(file.stall_timeout),
            linger_timeout: self.linger_timeout.or(file.linger_timeout),
            request_texts: self.request_texts.or(file.request_texts),
            request_choices: self.request_choices.or(file.request_choices),
            stream_silence: self.stream_silence.or(file.stream_silence),
            host_names: self.host_names.or(file.host_names),
            traces: self.traces.or(file.traces),
            cors_origins: self.cors_origins.or(file.cors_origins),
            trusted_proxies: self.trusted_proxies.or(file.trusted_proxies),
            behind_proxy: self.behind_proxy.or(file.behind_proxy),
            tls: self.tls.or(file.tls),
        }
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_default().0
    }

    pub(crate) fn drain_timeout(&self) -> Duration {
        self.drain_timeout.map_or(DEFAULT_DRAIN, |time| time.0)
    }

    /// Returns the networks of proxies.
    pub(crate) fn trusted_proxies(&self) -> &[Network] {
        self.trusted_proxies.as_deref().unwrap_or_default()
    }

    /// Tells whether TLS ends at the proxies.
    pub(crate) fn is_behind_proxy(&self) -> bool {
        self.behind_proxy.unwrap_or(false)
    }

    pub(crate) fn traces(&self) -> Option<&Collector> {
        self.traces.as_ref()
    }

    pub(crate) fn service(&self) -> ServiceSettings {
        let default = ServiceSettings::default();
        ServiceSettings {
            body: self.body_bytes.unwrap_or(default.body),
            body_time: self.body_timeout.map_or(default.body_time, |time| time.0),
            bodies: self.bodies_bytes.unwrap_or(default.bodies),
            connections: self.connection_settings(),
            texts: self.request_texts.map_or(default.texts, |count| count.0),
            choices: (self.request_choices).map_or(default.choices, |count| count.0),
            silence: self.stream_silence.map_or(default.silence, |time| time.0),
            host_names: HostNames::Local(self.host_names.clone().unwrap_or_default()),
            cors_origins: self.cors_origins.clone().unwrap_or_default(),
        }
    }

    fn connection_settings(&self) -> ConnectionSettings {
        let default = ConnectionSettings::default();
        let time =
            |given: &Option<TimeLimit>, default| given.as_ref().map_or(default, |time| time.0);
        ConnectionSettings {
            connections: (self.connections).map_or(default.connections, |count| count.0),
            head_time: time(&self.head_timeout, default.head_time),
            idle_time: time(&self.keep_alive_timeout, default.idle_time),
            stall_time: time(&self.stall_timeout, default.stall_time),
            linger_time: time(&self.linger_timeout, default.linger_time),
            ..default
        }
    }
}

/// A number of things, of which at least one is needed.
#[derive(Debug, Clone, Copy)]
struct Count(usize);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = text.parse().ok().filter(|count| *count > 0);
        count.map(Self).ok_or_else(|| {
            let found = ampoule::harmless_text(text);
            format!("a number from 1 on is expected, found `{found}`")
        })
    }
}

/// A model to serve: a table `[[model]]` of the configuration file, or an option of the command line.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ModelOptions {
    /// Bundle, a directory or a packed file; none for the built-in model.
    pub(crate) path: Option<PathBuf>,
    /// True for the built-in model, which has no path: a directory may have any name.
    #[serde(default)]
    pub(crate) built_in: bool,
    /// Name for callers; by default the name of the directory or file, or the built-in model's own.
    pub(crate) name: Option<String>,
    /// Further names for callers.
    #[serde(default, deserialize_with = "list_of_texts")]
    pub(crate) aliases: Vec<String>,
    /// Model that is expected; every other one is refused.
    #[serde(default, deserialize_with = "from_text")]
    pub(crate) expect: Option<ModelReference>,
    /// Capabilities that the model may have, of those that the host allows. By default all of them.
    #[serde(default, deserialize_with = "from_texts")]
    pub(crate) allow: Option<Vec<Capability>>,
    /// Limits of each request, where lower than the manifest asks for.
    #[serde(default)]
    limits: ModelLimits,
}

/// The table `[model.limits]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ModelLimits {
    #[serde(default, deserialize_with = "from_text")]
    memory: Option<ByteSize>,
    #[serde(default, deserialize_with = "from_text")]
    timeout: Option<TimeLimit>,
    #[serde(default, deserialize_with = "from_text")]
    fuel: Option<Fuel>,
}

impl ModelOptions {
    /// Returns the options of a bundle that is only named.
    pub(crate) fn of(path: PathBuf) -> Self {
        Self {
            path: Some(path),
            ..Self::default()
        }
    }

    /// Returns the options of the built-in model.
    pub(crate) fn built_in() -> Self {
        Self {
            built_in: true,
            ..Self::default()
        }
    }

    pub(crate) fn at_most(&self) -> RequestLimits {
        RequestLimits {
            memory: self.limits.memory,
            fuel: self.limits.fuel,
            deadline: self.limits.timeout.map(|time| time.0),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    /// The settings that a server has, in words.
    fn shown(options: &ServerOptions) -> String {
        format!(
            "{} {:?} {:?} {:?} {:?} {}",
            options.listen(),
            options.drain_timeout(),
            options.service(),
            options.traces(),
            options.trusted_proxies(),
            options.is_behind_proxy()
        )
    }

    #[test]
    fn every_setting_has_an_option_a_variable_and_a_key_that_do_the_same() {
        let command = ServerOptions::augment_args(clap::Command::new("server"));
        let mut seen = vec![shown(&ServerOptions::default())];
        for argument in command.get_arguments() {
            let option = argument.get_long().unwrap();
            let variable = format!("AMPOULE_{}", option.to_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().unwrap(), variable.as_str());
            let value = match option {
                "listen" => "[::1]:7",
                "traces" => "http://[::1]:7",
                _ if option.ends_with("bytes") => "7MiB",
                _ if option.ends_with("timeout") || option.ends_with("silence") => "7s",
                "host-names" => "ampoule.example",
                "cors-origins" => "https://app.example",
                "trusted-proxies" => "10.0.0.0/8",
                "behind-proxy" => "true",
                _ => "7",
            };
            let mut words = vec!["server".to_owned(), format!("--{option}")];
            words.extend((option != "behind-proxy").then(|| value.to_owned()));
            let matches = command.clone().try_get_matches_from(words).unwrap();
            let by_option = ServerOptions::from_arg_matches(&matches).unwrap();
            let by_key = match option {
                "host-names" | "cors-origins" | "trusted-proxies" => {
                    format!("{option} = [\"{value}\"]")
                }
                "behind-proxy" => format!("{option} = {value}"),
                _ => format!("{option} = \"{value}\""),
            };
            let by_key: ServerOptions = toml::from_str(&by_key).unwrap();
            assert_eq!(shown(&by_option), shown(&by_key), "{option}");
            assert_eq!(
                shown(&ServerOptions::default().or(by_key)),
                shown(&by_option),
                "{option}"
            );
            assert!(
                !seen.contains(&shown(&by_option)),
                "{option} sets nothing of its own"
            );
            seen.push(shown(&by_option));
        }
    }
}
