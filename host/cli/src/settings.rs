//! Options, variables and the configuration file, made into one set of settings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ampoule::{
    ByteSize, Capability, CodeCache, CompileProcess, EngineProfile, Host, HostBuilder, Limit,
    Limits, Location, Observer, PermissionPolicy, ReleaseState, RequestLimits, TrustStore,
};
use ampoule_command_line::shown_path;

use crate::age::Age;
use crate::answer_cache_options::AnswerCacheOptions;
use crate::arguments::{Arguments, Command};
use crate::audit_options::AuditOptions;
use crate::auth_options::AuthOptions;
use crate::config_file::{self, ConfigFile};
use crate::config_place::{ConfigText, Place};
use crate::error::Error;
use crate::host_options::{CacheOptions, HostOptions};
use crate::limit_options::{Preset, Resolution, option_of};
use crate::lower_limits;
use crate::rate_limit_options::RateLimitOptions;
use crate::server_options::{ModelOptions, ServerOptions};

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
    /// True where nobody named the cache's directory.
    is_default_cache: bool,
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
    /// The configuration file's settings of who may ask the server.
    pub(crate) auth: AuthOptions,
    /// The configuration file's settings of the cache of answers, where there is one.
    pub(crate) answer_cache: Option<AnswerCacheOptions>,
    /// The configuration file's settings of the audit log.
    pub(crate) audit: AuditOptions,
    /// Limits of the server's callers.
    pub(crate) rate_limits: RateLimitOptions,
    /// The configuration file's models to serve.
    pub(crate) models: Vec<ModelOptions>,
    /// The configuration file's text, for errors.
    config: ConfigText,
    /// Options that are given by the command line or a variable, by their long names.
    given: BTreeSet<String>,
}

impl Settings {
    /// Merges the settings. Options win over variables (clap sees to that), both win over the file, and the file wins
    /// over defaults.
    pub(crate) fn resolve(arguments: &Arguments) -> Result<Self, Error> {
        let permissions = permissions(arguments.insecure_permissions);
        let (file, config) = match &arguments.config {
            Some(path) => config_file::read(path, &permissions)?,
            None => (ConfigFile::default(), ConfigText::default()),
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
        let named_cache = cache.cache.clone().or(file.cache);
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
            is_default_cache: named_cache.is_none(),
            cache: (!cache.no_cache)
                .then(|| named_cache.or_else(user_cache))
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
                file.allow.unwrap_or_default()
            } else {
                host.allow.clone()
            },
            kernel_threads: host.kernel_threads.or(file.kernel_threads),
            permissions,
            limits,
            at_most,
            server: file.server,
            auth: file.auth,
            answer_cache: file.answer_cache,
            audit: file.audit,
            rate_limits: file.rate_limits,
            models: file.models,
            config,
            given: arguments.given().clone(),
        })
    }

    /// Returns the place of a setting in the configuration file, if the setting comes from there: no option and no
    /// variable of the key's last part goes before it.
    pub(crate) fn place(&self, key: &str) -> Option<Place> {
        let option = match key.strip_prefix("server.tls.") {
            Some(of_tls) => format!("tls-{of_tls}"),
            None => key.rsplit('.').next()?.to_owned(),
        };
        self.place_of(key, &option)
    }

    /// Returns the place of a key as [`Settings::place`] does, where the option has another name than the key.
    pub(crate) fn place_of(&self, key: &str, option: &str) -> Option<Place> {
        let place = self.config.place(key);
        place.filter(|_| !self.given.contains(option))
    }

    /// Returns the place of a key of a table that no option goes before.
    pub(crate) fn table_place(&self, key: &str) -> Option<Place> {
        self.config.place(key)
    }

    /// Returns the trust directory. It has no default: trust is the operator's decision.
    pub(crate) fn trust_directory(&self) -> Result<Location<'_>, Error> {
        let directory = self.trust.as_ref().ok_or(Error::NoTrust)?;
        Ok(self.permissions.at(directory))
    }

    /// Reads the trust directory.
    pub(crate) fn trust_store(&self) -> Result<TrustStore, Error> {
        let directory = self.trust.as_ref().ok_or(Error::NoTrust)?;
        let opened = TrustStore::open(self.permissions.at(directory));
        opened.map_err(|error| self.about_trust(directory, error))
    }

    /// Changes the trust directory, which is made if it is not there.
    pub(crate) fn change_trust<T>(
        &self,
        change: impl FnOnce(&mut TrustStore) -> Result<T, ampoule_signing::Error>,
    ) -> Result<T, Error> {
        let directory = self.trust.as_ref().ok_or(Error::NoTrust)?;
        let changed = TrustStore::update(self.permissions.at(directory), change);
        changed.map_err(|error| match error {
            ampoule_signing::Error::Io { .. } => self.about_trust(directory, error),
            other => other.into(),
        })
    }

    /// Names the trust directory in an error about it.
    fn about_trust(&self, directory: &Path, error: ampoule_signing::Error) -> Error {
        let error = Error::Trust {
            directory: shown_path(directory),
            error,
        };
        error.at(self.place("trust"))
    }

    /// Returns the state directory, if one is named, and else the trust directory.
    pub(crate) fn state_directory(&self) -> Option<&Path> {
        self.state.as_deref().or(self.trust.as_deref())
    }

    /// Returns the memory of releases: in the state directory, or else in the trust directory.
    pub(crate) fn releases(&self) -> Result<ReleaseState, Error> {
        let directory = self.state_directory().ok_or(Error::NoTrust)?;
        Ok(ReleaseState::in_directory(directory).with_permissions(self.permissions.clone()))
    }

    /// Refuses a state directory that could not be made: a model would run first, and only then its release could not
    /// be remembered.
    pub(crate) fn check_state(&self) -> Result<(), Error> {
        let Some(directory) = &self.state else {
            return Ok(());
        };
        let above = match directory.parent() {
            Some(above) if above.as_os_str().is_empty() => Path::new("."),
            Some(above) => above,
            None => return Ok(()),
        };
        if directory.exists() || above.exists() {
            return Ok(());
        }
        let error = Error::Setting(format!(
            "the state directory {:?} cannot be made, since the directory above it is not there; correct the path, or \
             make that directory first",
            shown_path(directory)
        ));
        Err(error.at(self.place("state")))
    }

    /// Returns the cache of compiled models; `None` when none are kept.
    pub(crate) fn code_cache(&self) -> Option<CodeCache> {
        let mut cache = CodeCache::in_directory(self.cache.as_ref()?)
            .with_permissions(self.permissions.clone());
        if self.is_default_cache {
            cache = cache.making_those_above();
        }
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
            is_default_cache: false,
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

    /// Makes a host with these settings that tells `observer` of each request. Where models of other publishers are
    /// served, it trusts what the trust directory says, now and after each change of it.
    pub(crate) fn server_host(
        &self,
        serves_others: bool,
        observer: Arc<dyn Observer>,
    ) -> Result<Host, Error> {
        let host = Host::builder().observer(observer);
        if !serves_others {
            return self.build(host);
        }
        let directory = self.trust.as_ref().ok_or(Error::NoTrust)?;
        self.check_state()?;
        // The host's own error names no path.
        TrustStore::open(directory).map_err(|error| self.about_trust(directory, error))?;
        self.build(host.trust_directory(directory).releases(self.releases()?))
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
        let built = allowed.fold(host, HostBuilder::allow).build();
        built.map_err(|error| {
            let place = key_of(&error).and_then(|key| self.place(&key));
            Error::from(error).at(place)
        })
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

/// Returns the key of the setting that a host cannot be made with.
fn key_of(error: &ampoule::Error) -> Option<String> {
    match error {
        ampoule::Error::LimitRange { name, .. } if name == "kernel_threads" => {
            Some("kernel-threads".to_owned())
        }
        ampoule::Error::LimitRange { name, .. } => {
            let limit = Limit::ALL.iter().find(|limit| limit.field() == *name)?;
            Some(format!("limits.{}", option_of(*limit)))
        }
        ampoule::Error::ClockResolution { .. } => Some("clock-resolution".to_owned()),
        _ => None,
    }
}
