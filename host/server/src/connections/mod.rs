//! Connections: accepted, served, and ended in good order.

use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::router::router;
use crate::service::Service;

/// Longest time for a request's head to arrive.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// Time to wait after the system gave no connection, such as for want of descriptors.
const PAUSE: Duration = Duration::from_millis(10);

/// Serves connections until `shutdown` is over, and then waits for the requests that were accepted: the host ends
/// whatever is not over after `patience`.
///
/// Returns true when nothing had to be stopped.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    shutdown: impl Future<Output = ()>,
    patience: Duration,
) -> bool {
    let graceful = GracefulShutdown::new();
    let routes = TowerToHyperService::new(router(service.clone()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _peer)) => {
                // Streams send small pieces, and each is awaited.
                let _ = stream.set_nodelay(true);
                let connection = http.serve_connection(TokioIo::new(stream), routes.clone());
                tokio::spawn(graceful.watch(connection));
            }
            Err(error) => {
                tracing::warn!(target: "ampoule::server", %error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let (is_over, ()) = tokio::join!(service.host().drain(patience), graceful.shutdown());
    is_over
}
