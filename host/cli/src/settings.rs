//! Options, variables and the configuration file, made into one set of settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ampoule::{
    ByteSize, Capability, CodeCache, CompileProcess, EngineProfile, Host, HostBuilder, Limits,
    Location, Observer, PermissionPolicy, ReleaseState, RequestLimits, TrustStore,
};
use ampoule_command_line::about;
use ampoule_signing::{read_trusted_text, text};
use serde::{Deserialize, Deserializer, de};

use crate::age::Age;
use crate::arguments::{Arguments, Command};
use crate::error::Error;
use crate::host_options::{CacheOptions, HostOptions};
use crate::limit_options::{LimitOptions, Preset, Resolution, from_text};
use crate::lower_limits;
use crate::server_options::{ModelOptions, ServerOptions};

/// The largest configuration file that is read: a person writes a few lines.
const MAX_CONFIG_BYTES: u64 = 64 * 1024;

/// Characters of one text in a request to a server. Clients send whole documents and leave it to the model to cut them; a
/// prompt with instructions has some thousand characters. A text of so many takes a model's tokenizer milliseconds.
const SERVED_TEXT_CHARS: usize = 32_768;

/// The argument that makes this program compile a model for another process of itself. It is no command.
pub(crate) const COMPILE_WORKER: &str = "compile-worker";

/// A command's settings besides its own arguments.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    trust: Option<PathBuf>,
    state: Option<PathBuf>,
    cache: Option<PathBuf>,
    cache_size: Option<ByteSize>,
    cache_age: Option<Age>,
    /// The way in which guests are compiled and metered.
    pub(crate) profile: EngineProfile,
    clock: Option<Resolution>,
    /// Capabilities that models may have.
    pub(crate) allowed: Vec<Capability>,
    kernel_threads: Option<usize>,
    /// The treatment of files that others could have changed.
    pub(crate) permissions: PermissionPolicy,
    pub(crate) limits: Limits,
    /// Limits of each request that are lower than its model's.
    pub(crate) at_most: RequestLimits,
    /// The configuration file's settings of the server.
    pub(crate) server: ServerOptions,
    /// The configuration file's models to serve.
    pub(crate) models: Vec<ModelOptions>,
}

/// The configuration file. Every key is an option's name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConfigFile {
    trust: Option<PathBuf>,
    state: Option<PathBuf>,
    cache: Option<PathBuf>,
    #[serde(default, deserialize_with = "from_text")]
    cache_size: Option<ByteSize>,
    #[serde(default, deserialize_with = "from_text")]
    cache_age: Option<Age>,
    #[serde(default, deserialize_with = "from_text")]
    clock_resolution: Option<Resolution>,
    #[serde(default, deserialize_with = "capabilities")]
    allow: Vec<Capability>,
    #[serde(default, deserialize_with = "from_text")]
    kernel_threads: Option<usize>,
    #[serde(default)]
    limits: LimitOptions,
    #[serde(default)]
    server: ServerOptions,
    #[serde(default, rename = "model")]
    models: Vec<ModelOptions>,
}

/// Reads capabilities by their names, where there are any.
pub(crate) fn some_capabilities<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Capability>>, D::Error> {
    capabilities(deserializer).map(Some)
}

/// Reads capabilities by their names.
fn capabilities<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Capability>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let parsed = names
        .iter()
        .map(|name| name.parse().map_err(de::Error::custom));
    parsed.collect()
}

impl Settings {
    /// Merges the settings. Options win over variables (clap sees to that), both win over the file, and the file wins
    /// over defaults.
    pub(crate) fn resolve(arguments: &Arguments) -> Result<Self, Error> {
        let permissions = permissions(arguments.insecure_permissions);
        let file = match &arguments.config {
            Some(path) => read_config(path, &permissions)?,
            None => ConfigFile::default(),
        };
        let (no_host, no_cache) = (HostOptions::default(), CacheOptions::default());
        let host = arguments.host().unwrap_or(&no_host);
        let cache = arguments.cache().unwrap_or(&no_cache);
        let preset = host.limits.preset.or(file.limits.preset);
        let preset = preset.unwrap_or(Preset::Default);
        let mut limits = preset.limits();
        file.limits.apply(&mut limits);
        let without_options = limits.clone();
        host.limits.apply(&mut limits);
        let at_most = arguments.for_this_call();
        lower_limits::keep_caps(&mut limits, &without_options, at_most);
        let idle = host.limits.idle_timeout.or(file.limits.idle_timeout);
        let is_server = matches!(arguments.command, Command::Serve(_));
        if idle.is_none() && preset == Preset::Default && !is_server {
            // Nobody else wants the place of who stops reading their own terminal.
            limits.idle = at_most.deadline.unwrap_or(limits.deadline);
        }
        let text_chars = host.limits.text_chars.or(file.limits.text_chars);
        if text_chars.is_none() && preset == Preset::Default && is_server {
            limits.text_chars = SERVED_TEXT_CHARS;
        }
        Ok(Self {
            trust: arguments.trust.clone().or(file.trust),
            state: arguments.state.clone().or(file.state),
            cache: (!cache.no_cache)
                .then(|| cache.cache.clone().or(file.cache).or_else(user_cache))
                .flatten(),
            cache_size: cache.cache_size.or(file.cache_size),
            cache_age: cache.cache_age.or(file.cache_age),
            profile: if host.deterministic {
                EngineProfile::Deterministic
            } else {
                EngineProfile::default()
            },
            clock: host.clock_resolution.or(file.clock_resolution),
            allowed: if host.allow.is_empty() {
                file.allow
            } else {
                host.allow.clone()
            },
            kernel_threads: host.kernel_threads.or(file.kernel_threads),
            permissions,
            limits,
            at_most,
            server: file.server,
            models: file.models,
        })
    }

    /// Returns the trust directory. It has no default: trust is the operator's decision.
    pub(crate) fn trust_directory(&self) -> Result<Location<'_>, Error> {
        let directory = self.trust.as_ref().ok_or(Error::NoTrust)?;
        Ok(self.permissions.at(directory))
    }

    /// Reads the trust directory.
    pub(crate) fn trust_store(&self) -> Result<TrustStore, Error> {
        Ok(TrustStore::open(self.trust_directory()?)?)
    }

    /// Returns the memory of releases: in the state directory, or else in the trust directory.
    pub(crate) fn releases(&self) -> Result<ReleaseState, Error> {
        let directory = self.state.as_ref().or(self.trust.as_ref());
        let directory = directory.ok_or(Error::NoTrust)?;
        Ok(ReleaseState::in_directory(directory).with_permissions(self.permissions.clone()))
    }

    /// Returns the cache of compiled models; `None` when none are kept.
    pub(crate) fn code_cache(&self) -> Option<CodeCache> {
        let mut cache = CodeCache::in_directory(self.cache.as_ref()?)
            .with_permissions(self.permissions.clone());
        if let Some(size) = self.cache_size {
            cache = cache.with_max_size(size);
        }
        if let Some(Age(age)) = self.cache_age {
            cache = cache.with_max_age(age);
        }
        Some(cache)
    }

    /// Returns the settings with another cache.
    pub(crate) fn with_cache(&self, directory: &Path) -> Self {
        Self {
            cache: Some(directory.to_owned()),
            ..self.clone()
        }
    }

    /// Returns the settings with guests compiled and metered in another way.
    pub(crate) fn with_profile(&self, profile: EngineProfile) -> Self {
        Self {
            profile,
            ..self.clone()
        }
    }

    /// Makes a host with these settings that trusts `trust` and remembers releases in `releases`.
    pub(crate) fn host(
        &self,
        trust: TrustStore,
        releases: Option<ReleaseState>,
    ) -> Result<Host, Error> {
        self.build(Host::builder().trust(trust).releases(releases))
    }

    /// Makes a host with these settings that tells `observer` of each request. It trusts `built_in` and remembers no
    /// releases, or else trusts what the trust directory says, now and after each change of it.
    pub(crate) fn server_host(
        &self,
        built_in: Option<TrustStore>,
        observer: Arc<dyn Observer>,
    ) -> Result<Host, Error> {
        let host = Host::builder().observer(observer);
        let host = match built_in {
            Some(trust) => host.trust(trust),
            None => {
                let directory = self.trust.as_ref().ok_or(Error::NoTrust)?;
                host.trust_directory(directory).releases(self.releases()?)
            }
        };
        self.build(host)
    }

    fn build(&self, host: HostBuilder) -> Result<Host, Error> {
        let host = host
            .limits(self.limits.clone())
            .profile(self.profile)
            .clock_resolution(self.clock.map(|Resolution(clock)| clock))
            .kernel_threads(self.kernel_threads)
            .code_cache(self.code_cache())
            .compile_with(CompileProcess::this_program([COMPILE_WORKER]));
        let allowed = self.allowed.iter().copied();
        Ok(allowed.fold(host, HostBuilder::allow).build()?)
    }
}

/// Returns the directory for this program in the user's cache directory (XDG Base Directory Specification 0.8), if
/// there is one: a service need not have a home.
fn user_cache() -> Option<PathBuf> {
    let absolute = |variable| {
        let path = PathBuf::from(std::env::var_os(variable)?);
        path.is_absolute().then_some(path)
    };
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("ampoule"))
}

fn permissions(insecure: bool) -> PermissionPolicy {
    if !insecure {
        return PermissionPolicy::default();
    }
    PermissionPolicy::insecure(|problem| {
        tracing::warn!(
            target: "ampoule::permissions",
            code = problem.code(), error = %problem,
            "taken all the same, as asked for"
        );
    })
}

fn read_config(path: &Path, permissions: &PermissionPolicy) -> Result<ConfigFile, Error> {
    let config = read_trusted_text(
        permissions.at(path),
        "the configuration file",
        MAX_CONFIG_BYTES,
    );
    let config = config.map_err(|error| match error {
        ampoule_signing::Error::Io { source, .. } => {
            Error::Config(format!("it cannot be read: {}", source.kind()))
        }
        refused => about(path)(refused).into(),
    })?;
    let fault = |key: &str, error: &toml::de::Error| {
        // The message alone: with it comes the whole line that it is about, however long that is.
        let message = text::sentence(error.message());
        let before = error.span().and_then(|span| config.get(..span.start));
        let line = before.map(|before| format!("line {}: ", before.matches('\n').count() + 1));
        let line = line.unwrap_or_default();
        Error::Config(match key {
            "." => format!("{line}{message}"),
            key => format!("{line}`{}`: {message}", text::line(key)),
        })
    };
    let parsed = toml::Deserializer::parse(&config).map_err(|error| fault(".", &error))?;
    serde_path_to_error::deserialize(parsed)
        .map_err(|error| fault(&error.path().to_string(), error.inner()))
}
