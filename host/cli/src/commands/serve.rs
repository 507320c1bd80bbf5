//! `ampoule serve`: answers over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ampoule_access::Proxies;
use ampoule_server::{Metrics, Models, Service, ServiceSettings, guarded_routes, serve, serve_tls};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::arguments::ServeCommand;
use crate::audit_log::{self, OpenAudit};
use crate::auth_options::AuthOptions;
use crate::certificate_files::CertificateFiles;
use crate::error::Error;
use crate::output;
use crate::panics;
use crate::protection;
use crate::served_model::ServedModel;
use crate::server_options::{ModelOptions, ServerOptions};
use crate::settings::Settings;
use crate::termination::Termination;
use crate::tls_options::TlsOptions;
use crate::traces::Traces;

/// Longest time for the last traces to be sent, after all requests are over.
const LAST_TRACES: Duration = Duration::from_secs(2);

/// Longest time for the last rows of the audit log to be written, after all requests are over.
const LAST_ROWS: Duration = Duration::from_secs(5);

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
    panics::leave_messages_out();
    let of_options = command.models.into_iter().map(ModelOptions::of);
    let built_in = command.built_in.then(ModelOptions::built_in);
    let chosen = ServedModel::all(of_options.chain(built_in).collect(), &settings.models);
    let server = command.server.or(settings.server.clone());
    let audit_options = command.audit.or(settings.audit.clone());
    let tls_options = command.tls.or(server.tls.clone());
    let tls = CertificateFiles::open(&tls_options, settings)?;
    let auth = command.auth.or(settings.auth.clone());
    check_certificates(&auth, &tls_options, settings)?;
    let protection = protection::of(&auth, settings)?;
    check_proxies(&server, settings)?;
    let proxies = Proxies::new(server.trusted_proxies().iter().copied());
    let protection = protection.with_proxies(proxies, server.is_behind_proxy());
    let service = server.service();
    check_bodies(&service, settings)?;
    let termination = Termination::listen().map_err(|error| Error::Thread(error.to_string()))?;
    // A program that has traces refuses variables of OpenTelemetry's, and no key.
    let place = settings.place("server.traces");
    let place = place.filter(|_| cfg!(not(feature = "otel")));
    let traces = Traces::to(server.traces()).map_err(|error| error.at(place))?;
    let reach = Reach {
        is_keyed: protection.is_on(),
        is_encrypted: tls.is_some() || server.is_behind_proxy(),
    };
    let listener = listen(server.listen(), reach, settings).await?;
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
    let service = Service::new(host.clone(), models, metrics, service);
    let limits = &settings.rate_limits;
    limits.check_routes(&guarded_routes(&service), |key| settings.table_place(key))?;
    // The last thing that may be refused: from here on the log has the start.
    let audit = audit_log::open(&audit_options, settings)?;
    let protection = match &audit {
        Some(open) => protection.with_audit(Arc::clone(&open.audit), open.recorded),
        None => protection,
    };
    for (model, slot) in places {
        tokio::spawn(model.load(host.clone(), settings.clone(), slot));
    }
    let service = service.with_protection(protection);
    let service = traces.of(service);
    say_where(&listener, tls.is_some(), json)?;
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
        match &tls {
            Some(files) => serve_tls(listener, files.tls(), service, ends, patience).await,
            None => serve(listener, service, ends, patience).await,
        };
        traces.end(LAST_TRACES).await;
        end(audit.as_ref(), LAST_ROWS).await
    };
    tokio::select! {
        ended = served => ended,
        () = termination.second() => {
            // They would wait for a collector otherwise when they are dropped.
            traces.end(Duration::ZERO).await;
            // Rows of requests that are over; the others have no end.
            let _ = end(audit.as_ref(), Duration::ZERO).await;
            Err(Error::Interrupted)
        }
    }
}

/// Ends the audit log once all its rows are written, and within this time.
async fn end(audit: Option<&OpenAudit>, patience: Duration) -> Result<(), Error> {
    let Some(OpenAudit { audit, .. }) = audit else {
        return Ok(());
    };
    let audit = Arc::clone(audit);
    let closed = tokio::task::spawn_blocking(move || audit.close(patience)).await;
    if closed.unwrap_or(false) {
        return Ok(());
    }
    Err(Error::AuditUnwritten)
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

/// Refuses proxies that nobody names.
fn check_proxies(server: &ServerOptions, settings: &Settings) -> Result<(), Error> {
    if !server.is_behind_proxy() || !server.trusted_proxies().is_empty() {
        return Ok(());
    }
    let error = Error::Setting(
        "behind-proxy is of no use without the proxies that it is about; name their networks with --trusted-proxies, \
         such as 10.0.0.0/8"
            .to_owned(),
    );
    Err(error.at(settings.place("server.behind-proxy")))
}

/// Refuses keys for certificates that no client is asked for.
fn check_certificates(
    auth: &AuthOptions,
    tls: &TlsOptions,
    settings: &Settings,
) -> Result<(), Error> {
    if auth.certificates().is_empty() || tls.client_ca.is_some() {
        return Ok(());
    }
    let error = Error::Setting(
        "no client is asked for a certificate; name the file of those who issue them with --tls-client-ca or with \
         `client-ca` under [server.tls]"
            .to_owned(),
    );
    Err(error.at(settings.table_place("auth.certificate[0]")))
}

/// The protection of a server that other machines may reach.
#[derive(Clone, Copy)]
struct Reach {
    /// Callers need a credential.
    is_keyed: bool,
    /// It has TLS, or a proxy in front of it has.
    is_encrypted: bool,
}

impl Reach {
    /// Names what is missing before other machines may reach the server.
    fn missing(self) -> Option<&'static str> {
        const KEYS: &str = "callers need no API key (name a key directory with --keys)";
        const TLS: &str = "keys and prompts would be read on the way (give --tls-certificate and --tls-key, or --behind-proxy with --trusted-proxies where a proxy \
                           has the TLS)";
        const BOTH: &str = "callers need no API key (name a key directory with --keys), and keys and prompts would be \
                            read on the way (give --tls-certificate and --tls-key, or --behind-proxy with \
                            --trusted-proxies where a proxy has the TLS)";
        match (self.is_keyed, self.is_encrypted) {
            (true, true) => None,
            (false, true) => Some(KEYS),
            (true, false) => Some(TLS),
            (false, false) => Some(BOTH),
        }
    }
}

/// Binds the address that the server listens on.
async fn listen(
    address: SocketAddr,
    reach: Reach,
    settings: &Settings,
) -> Result<TcpListener, Error> {
    let place = settings.place("server.listen");
    if !address.ip().is_loopback()
        && let Some(missing) = reach.missing()
    {
        let error = Error::Setting(format!(
            "other machines may reach the address {address}, and {missing}; or listen on 127.0.0.1 or [::1], which \
             this machine alone reaches"
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

fn say_where(listener: &TcpListener, is_encrypted: bool, json: bool) -> Result<(), Error> {
    let address = listener.local_addr();
    let listening = address.map_err(|error| Error::Thread(error.to_string()))?;
    if json {
        return output::json(&Listening { listening });
    }
    let scheme = if is_encrypted { "https" } else { "http" };
    output::write(&format!("listening on {scheme}://{listening}\n"))?;
    output::note(&format!(
        "a browser shows a page at {scheme}://{listening}/ to try the models; OpenAI's clients take the address \
         {scheme}://{listening}/v1, and others {scheme}://{listening}"
    ));
    Ok(())
}
