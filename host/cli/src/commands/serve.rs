//! `ampoule serve`: answers over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ampoule::{Host, LoadOptions};
use ampoule_server::{Metrics, ModelSlot, Models, Service, serve};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::arguments::ServeCommand;
use crate::built_in;
use crate::error::Error;
use crate::output;
use crate::server_options::ModelOptions;
use crate::settings::Settings;
use crate::termination::Termination;
use crate::traces::Traces;

/// The first pause after a load that failed. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two attempts to load a model.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Longest time for the last traces to be sent, after all requests are over.
const LAST_TRACES: Duration = Duration::from_secs(2);

/// The first line of output, for programs.
#[derive(Serialize)]
struct Listening {
    listening: SocketAddr,
}

pub(crate) async fn run(
    command: ServeCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let server = command.server.or(settings.server.clone());
    let termination = Termination::listen().map_err(|error| Error::Thread(error.to_string()))?;
    let traces = Traces::to(server.traces())?;
    let listener = listen(server.listen()).await?;
    let sources = sources(command.models, settings);
    let models = Models::default();
    let mut places = Vec::with_capacity(sources.len());
    for source in sources {
        let slot = models.add(&source.name()?, source.aliases());
        places.push((
            source,
            slot.map_err(|error| Error::Setting(error.to_string()))?,
        ));
    }
    let is_built_in = matches!(places.as_slice(), [(Source::BuiltIn, _)]);
    let built_in = is_built_in.then(built_in::trust).transpose()?;
    let metrics = Metrics::new(&models);
    let host = settings.server_host(built_in, metrics.observer())?;
    places
        .iter()
        .try_for_each(|(source, _)| source.check_is_there())?;
    for (source, slot) in places {
        tokio::spawn(load(source, host.clone(), settings.clone(), slot));
    }
    let service = traces.of(Service::new(host, models, metrics, server.service()));
    say_where(&listener, json)?;
    let patience = server.drain_timeout();
    let first = termination.first();
    let ends = async move {
        first.await;
        output::note(&format!(
            "ending; requests that have begun have {} s, and a second signal ends them at once",
            patience.as_secs()
        ));
    };
    let served = async {
        serve(listener, service, ends, patience).await;
        traces.end(LAST_TRACES).await;
    };
    tokio::select! {
        () = served => Ok(()),
        () = termination.second() => {
            // They would wait for a collector otherwise when they are dropped.
            traces.end(Duration::ZERO).await;
            Err(Error::Interrupted)
        }
    }
}

/// Returns the models to serve: those of the command line, or else those of the configuration file, or else the
/// built-in one.
fn sources(paths: Vec<PathBuf>, settings: &Settings) -> Vec<Source> {
    let models = if paths.is_empty() {
        settings.models.clone()
    } else {
        paths.into_iter().map(ModelOptions::of).collect()
    };
    if models.is_empty() {
        return vec![Source::BuiltIn];
    }
    models
        .into_iter()
        .map(|model| Source::Bundle(Box::new(model)))
        .collect()
}

/// Binds the address that the server listens on.
async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::Setting(format!(
            "--listen {address} is not an address of this machine alone; the server has neither keys nor TLS, so it listens \
             on 127.0.0.1 or [::1] only"
        )));
    }
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Error::Listen {
        address,
        reason: error.to_string(),
    })
}

fn say_where(listener: &TcpListener, json: bool) -> Result<(), Error> {
    let address = listener.local_addr();
    let listening = address.map_err(|error| Error::Thread(error.to_string()))?;
    if json {
        return output::json(&Listening { listening });
    }
    output::write(&format!("listening on http://{listening}\n"))
}

/// The place from which a model is loaded.
enum Source {
    BuiltIn,
    /// A bundle, which is followed: newer releases that are put in its place take over.
    Bundle(Box<ModelOptions>),
}

impl Source {
    /// Returns the name that the model is served under: the one that is given, or else that of its directory or file.
    fn name(&self) -> Result<String, Error> {
        let Self::Bundle(model) = self else {
            return Ok(built_in::NAME.to_owned());
        };
        if let Some(name) = &model.name {
            return Ok(name.clone());
        }
        let whole = model.path.canonicalize();
        let whole = whole.as_ref().unwrap_or(&model.path);
        let name = whole.file_stem().and_then(|name| name.to_str());
        name.map(str::to_owned).ok_or_else(|| {
            Error::Setting(
                "the path of a model has no last part that could be the model's name; name the model in the \
                 configuration file"
                    .to_owned(),
            )
        })
    }

    /// Refuses a path with nothing there, which is a mistyped one: a server that tries again for ever would hide that.
    fn check_is_there(&self) -> Result<(), Error> {
        let Self::Bundle(model) = self else {
            return Ok(());
        };
        match model.path.try_exists() {
            Ok(true) => Ok(()),
            _ => Err(Error::Setting(format!(
                "there is no bundle at the path of the model `{}`; correct the path, or put the bundle there first",
                self.name()?
            ))),
        }
    }

    fn aliases(&self) -> &[String] {
        match self {
            Self::BuiltIn => &[],
            Self::Bundle(model) => &model.aliases,
        }
    }

    async fn load(&self, host: &Host, settings: &Settings, slot: &ModelSlot) -> Result<(), Error> {
        let options = LoadOptions {
            permissions: settings.permissions.clone(),
            at_most: settings.at_most,
            ..LoadOptions::default()
        };
        match self {
            Self::BuiltIn => {
                let model = host.load_bundle_with(built_in::bundle()?, &options).await?;
                slot.serve_fixed(model);
            }
            Self::Bundle(model) => {
                let options = LoadOptions {
                    at_most: model.at_most(),
                    expected: model.expect.clone(),
                    capabilities: model.allow.clone(),
                    ..options
                };
                slot.serve(host.follow(&model.path, options).await?);
            }
        }
        Ok(())
    }
}

/// Tries to load a model until it works: the operator may put right what is wrong while other models serve.
async fn load(source: Source, host: Host, settings: Settings, slot: ModelSlot) {
    let mut pauses = pauses();
    while let Err(error) = source.load(&host, &settings, &slot).await {
        slot.fail(error.code());
        tracing::error!(
            target: "ampoule::server",
            model = slot.name(), code = error.code(), %error,
            "the model is not served; it is tried again"
        );
        tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }
}

/// Returns the pauses between attempts to load a model, without end.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST_PAUSE), |pause| {
        Some(LONGEST_PAUSE.min(*pause * 2))
    })
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
