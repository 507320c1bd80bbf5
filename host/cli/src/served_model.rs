//! A model that a server is told to serve: its name, its place, and its load.

use std::path::Path;
use std::time::{Duration, Instant};

use ampoule::{Host, LoadOptions, RollbackProtection};
use ampoule_command_line::shown_path;
use ampoule_server::{ModelSlot, Models};

use crate::built_in;
use crate::config_place::Place;
use crate::error::Error;
use crate::server_options::ModelOptions;
use crate::settings::Settings;

/// The first pause after a load that failed. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two attempts to load a model.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A model to serve, named by the command line or by the configuration file.
#[derive(Debug)]
pub(crate) struct ServedModel {
    options: ModelOptions,
    /// Place among the tables `[[model]]`; none for a model of the command line.
    table: Option<usize>,
}

impl ServedModel {
    /// Returns the models to serve: those of the command line, or else those of the configuration file, or else the
    /// built-in one.
    pub(crate) fn all(of_options: Vec<ModelOptions>, of_file: &[ModelOptions]) -> Vec<Self> {
        if of_options.is_empty() && !of_file.is_empty() {
            let tables = of_file.iter().cloned().enumerate();
            return tables
                .map(|(table, options)| Self {
                    options,
                    table: Some(table),
                })
                .collect();
        }
        let by_default = of_options.is_empty().then(ModelOptions::built_in);
        let models = of_options.into_iter().chain(by_default);
        models
            .map(|options| Self {
                options,
                table: None,
            })
            .collect()
    }

    pub(crate) fn is_built_in(&self) -> bool {
        self.options.built_in
    }

    /// Makes the model's place among those that are served, under the name that is given, or else under that of its
    /// directory or file.
    pub(crate) fn add_to(&self, models: &Models, settings: &Settings) -> Result<ModelSlot, Error> {
        if self.options.path.is_some() == self.options.built_in {
            let message = "a model has either a `path`, that of its bundle, or `built-in = true` for the model that is \
                           part of this program";
            return Err(self.fault(message, settings, "built-in"));
        }
        let (name, key) = match (&self.options.name, &self.options.path) {
            (Some(name), _) => (name.clone(), "name"),
            (None, None) => (built_in::NAME.to_owned(), "built-in"),
            (None, Some(path)) => match name_of(path) {
                Some(name) => (name, "path"),
                None => {
                    let message = "the path has no last part that could be the model's name; name the model with \
                                   `name`, under [[model]] in the configuration file";
                    return Err(self.fault(message, settings, "path"));
                }
            },
        };
        models.add(&name, &self.options.aliases).map_err(|error| {
            let is_at_fault = |alias: &String| alias == error.name();
            let alias = self.options.aliases.iter().position(is_at_fault);
            let alias = alias.filter(|_| error.name() != name);
            let key = alias.map_or(key.to_owned(), |alias| format!("aliases[{alias}]"));
            self.fault(&error.to_string(), settings, &key)
        })
    }

    /// Refuses limits that no model could run with: a load that is tried again for ever would hide them.
    pub(crate) fn check_limits(&self, settings: &Settings) -> Result<(), Error> {
        let Err(error) = self.options.at_most().check() else {
            return Ok(());
        };
        let key = match &error {
            ampoule::Error::LimitRange { name, .. } if name == "deadline" => "limits.timeout",
            ampoule::Error::LimitRange { name, .. } if name == "fuel" => "limits.fuel",
            _ => "limits.memory",
        };
        Err(Error::ModelLimit(error).at(self.place(settings, key)))
    }

    /// Refuses a path with nothing there, which is a mistyped one: a server that tries again for ever would hide that.
    pub(crate) fn check_is_there(&self, settings: &Settings) -> Result<(), Error> {
        let Some(path) = &self.options.path else {
            return Ok(());
        };
        if matches!(path.try_exists(), Ok(true)) {
            return Ok(());
        }
        let message = format!(
            "there is no bundle at {:?}; correct the path, or put the bundle there first",
            shown_path(path)
        );
        Err(self.fault(&message, settings, "path"))
    }

    fn fault(&self, message: &str, settings: &Settings, key: &str) -> Error {
        let place = self.place(settings, key);
        match (&place, &self.options.path) {
            // A model of the command line has no more than a path.
            (None, Some(path)) => {
                Error::Setting(format!("--model {:?}: {message}", shown_path(path)))
            }
            _ => Error::Setting(message.to_owned()).at(place),
        }
    }

    /// Returns the place of a key of the model's table, or of the table itself.
    fn place(&self, settings: &Settings, key: &str) -> Option<Place> {
        let table = format!("model[{}]", self.table?);
        let place = settings.table_place(&format!("{table}.{key}"));
        place.or_else(|| settings.table_place(&table))
    }

    /// Loads the model until that works: the operator may put right what is wrong while other models serve.
    pub(crate) async fn load(self, host: Host, settings: Settings, slot: ModelSlot) {
        let begun = Instant::now();
        let mut pauses = pauses();
        while let Err(error) = self.try_to_load(&host, &settings, &slot).await {
            slot.fail(error.code());
            tracing::error!(
                target: "ampoule::server",
                model = slot.name(), code = error.code(), %error,
                "the model is not served; it is tried again"
            );
            tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
        }
        tracing::info!(
            target: "ampoule::server",
            model = slot.name(), seconds = begun.elapsed().as_secs_f32(),
            "the model is ready"
        );
    }

    async fn try_to_load(
        &self,
        host: &Host,
        settings: &Settings,
        slot: &ModelSlot,
    ) -> Result<(), Error> {
        let options = LoadOptions {
            permissions: settings.permissions.clone(),
            at_most: self.options.at_most(),
            expected: self.options.expect.clone(),
            capabilities: self.options.allow.clone(),
            ..LoadOptions::default()
        };
        let Some(path) = &self.options.path else {
            let options = LoadOptions {
                trust: Some(built_in::trust()?),
                rollback: RollbackProtection::Off,
                ..options
            };
            let model = host.load_bundle_with(built_in::bundle()?, &options).await?;
            slot.serve_fixed(model);
            return Ok(());
        };
        slot.serve(host.follow(path, options).await?);
        Ok(())
    }
}

/// Returns the pauses between attempts to load a model, without end.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST_PAUSE), |pause| {
        Some(LONGEST_PAUSE.min(*pause * 2))
    })
}

/// Returns the name of a directory, or of a file without its ending.
fn name_of(path: &Path) -> Option<String> {
    let whole = path.canonicalize();
    let whole = whole.as_deref().unwrap_or(path);
    let name = whole.file_stem().and_then(|name| name.to_str());
    name.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_loads_double_up_to_a_minute_and_stay_there() {
        let seconds: Vec<u64> = pauses().take(9).map(|pause| pause.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pauses().nth(10_000), Some(LONGEST_PAUSE));
    }
}
