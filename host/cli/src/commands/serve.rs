//! `ampoule serve`: answers over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use ampoule_server::{Metrics, Models, Service, ServiceSettings, serve};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::arguments::ServeCommand;
use crate::error::Error;
use crate::output;
use crate::protection;
use crate::served_model::ServedModel;
use crate::server_options::ModelOptions;
use crate::settings::Settings;
use crate::termination::Termination;
use crate::traces::Traces;

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
    let of_options = command.models.into_iter().map(ModelOptions::of);
    let built_in = command.built_in.then(ModelOptions::built_in);
    let chosen = ServedModel::all(of_options.chain(built_in).collect(), &settings.models);
    let server = command.server.or(settings.server.clone());
    let protection = protection::of(&command.auth.or(settings.auth.clone()), settings)?;
    let service = server.service();
    check_bodies(&service, settings)?;
    let termination = Termination::listen().map_err(|error| Error::Thread(error.to_string()))?;
    // A program that has traces refuses variables of OpenTelemetry's, and no key.
    let place = settings.place("server.traces");
    let place = place.filter(|_| cfg!(not(feature = "otel")));
    let traces = Traces::to(server.traces()).map_err(|error| error.at(place))?;
    let listener = listen(server.listen(), settings).await?;
    let models = Models::default();
    let mut places = Vec::with_capacity(chosen.len());
    for model in chosen {
        let slot = model.add_to(&models, settings)?;
        model.check_limits(settings)?;
        places.push((model, slot));
    }
    for (model, _) in &places {
        model.check_is_there(settings)?;
    }
    let serves_others = !places.iter().all(|(model, _)| model.is_built_in());
    let metrics = Metrics::new(&models);
    let host = settings.server_host(serves_others, metrics.observer())?;
    for (model, slot) in places {
        tokio::spawn(model.load(host.clone(), settings.clone(), slot));
    }
    let service = Service::new(host, models, metrics, service).with_protection(protection);
    let service = traces.of(service);
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

/// Refuses room for all bodies that is too little for one.
fn check_bodies(service: &ServiceSettings, settings: &Settings) -> Result<(), Error> {
    if service.bodies >= service.body {
        return Ok(());
    }
    let place = settings.place("server.bodies-bytes");
    let place = place.or_else(|| settings.place("server.body-bytes"));
    let error = Error::Setting(format!(
        "bodies-bytes is {}, less than body-bytes, {}: the largest body could never be read; raise bodies-bytes or \
         lower body-bytes",
        service.bodies, service.body
    ));
    Err(error.at(place))
}

/// Binds the address that the server listens on.
async fn listen(address: SocketAddr, settings: &Settings) -> Result<TcpListener, Error> {
    let place = settings.place("server.listen");
    if !address.ip().is_loopback() {
        let error = Error::Setting(format!(
            "other machines may reach the address {address}; the server has no TLS yet, and keys and prompts would \
             be read on the way, so it listens on 127.0.0.1 or [::1] only"
        ));
        return Err(error.at(place));
    }
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| {
        let error = Error::Listen {
            address,
            reason: error.to_string(),
        };
        error.at(place)
    })
}

fn say_where(listener: &TcpListener, json: bool) -> Result<(), Error> {
    let address = listener.local_addr();
    let listening = address.map_err(|error| Error::Thread(error.to_string()))?;
    if json {
        return output::json(&Listening { listening });
    }
    output::write(&format!("listening on http://{listening}\n"))?;
    output::note(&format!(
        "a browser shows a page at http://{listening}/ to try the models; OpenAI's clients take the address \
         http://{listening}/v1, and others http://{listening}"
    ));
    Ok(())
}
