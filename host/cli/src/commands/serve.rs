//! `ampoule serve`: answers over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ampoule::{Host, LoadOptions};
use ampoule_server::{ModelSlot, Models, Service, ServiceSettings, serve};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::arguments::ServeCommand;
use crate::built_in;
use crate::error::Error;
use crate::output;
use crate::settings::Settings;
use crate::termination::Termination;

/// The first pause after a load that failed. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two attempts to load a model.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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
    let termination = Termination::listen().map_err(|error| Error::Thread(error.to_string()))?;
    let listener = listen(command.listen).await?;
    let models = Models::default();
    let host = if command.models.is_empty() {
        settings.host(built_in::trust()?, None)?
    } else {
        settings.host_of_directory()?
    };
    let sources = if command.models.is_empty() {
        vec![Source::BuiltIn]
    } else {
        command.models.into_iter().map(Source::Bundle).collect()
    };
    for source in sources {
        let slot = models.add(&source.name()?, &[]);
        let slot = slot.map_err(|error| Error::Setting(error.to_string()))?;
        let options = LoadOptions {
            permissions: settings.permissions.clone(),
            at_most: settings.at_most,
            ..LoadOptions::default()
        };
        tokio::spawn(load(source, host.clone(), options, slot));
    }
    let service = Service::new(host, models, ServiceSettings::default());
    say_where(&listener, json)?;
    let served = serve(
        listener,
        service,
        termination.first(),
        command.drain_timeout.0,
    );
    tokio::select! {
        _ = served => Ok(()),
        () = termination.second() => Err(Error::Interrupted),
    }
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
    Bundle(PathBuf),
}

impl Source {
    /// Returns the name that the model is served under: that of its directory or file.
    fn name(&self) -> Result<String, Error> {
        let Self::Bundle(path) = self else {
            return Ok(built_in::NAME.to_owned());
        };
        let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
        let name = whole.file_stem().and_then(|name| name.to_str());
        name.map(str::to_owned).ok_or_else(|| {
            Error::Setting(
                "the path of a model has no last part that could be the model's name; name the model in the \
                 configuration file"
                    .to_owned(),
            )
        })
    }

    async fn load(
        &self,
        host: &Host,
        options: &LoadOptions,
        slot: &ModelSlot,
    ) -> Result<(), Error> {
        match self {
            Self::BuiltIn => {
                let model = host.load_bundle_with(built_in::bundle()?, options).await?;
                slot.serve_fixed(model);
            }
            Self::Bundle(path) => slot.serve(host.follow(path, options.clone()).await?),
        }
        Ok(())
    }
}

/// Tries to load a model until it works: the operator may put right what is wrong while other models serve.
async fn load(source: Source, host: Host, options: LoadOptions, slot: ModelSlot) {
    let mut pause = FIRST_PAUSE;
    while let Err(error) = source.load(&host, &options, &slot).await {
        slot.fail();
        tracing::error!(
            target: "ampoule::server",
            model = slot.name(), code = error.code(), %error,
            "the model is not served; it is tried again"
        );
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}
