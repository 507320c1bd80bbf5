//! Connections: accepted, served, and ended in good order.

mod bare;
mod descriptors;
mod exchange;
mod handshake;
mod heads;
mod http2;
#[cfg(test)]
mod panic_tests;
mod phase;
mod progress;
mod registry;
mod request;
pub(crate) mod settings;
mod stream;
mod streams;
mod wire;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::connections::bare::Refuser;
use crate::connections::handshake::shake_hands;
use crate::connections::phase::Phase;
use crate::connections::progress::{Ending, Progress};
use crate::connections::registry::{Registry, Slot};
use crate::connections::request::Requests;
use crate::connections::settings::{BUFFER_BYTES, HEAD_BYTES, REFUSAL_TIME};
use crate::connections::stream::Stream;
use crate::connections::wire::Wire;
use crate::error::ApiError;
use crate::protection::forgetting;
use crate::router::router;
use crate::service::Service;
use crate::tls::Tls;

/// Time to wait after the system gave no connection, such as for want of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Longest time for a connection to make room for a new one. Its task is woken and drops it.
const ROOM_TIME: Duration = Duration::from_millis(100);

/// Connections that are refused with an answer at one time. Further ones are closed.
const REFUSALS: usize = 64;

/// Connections that the system keeps for a server that has not accepted them yet. Beyond them, clients wait a second and
/// more before they try again.
const BACKLOG: i32 = 1_024;

/// Bytes of an answer that the system holds unsent, roughly. By default it holds megabytes, and is writable again only
/// when a third of them is gone: the answer would count as sent long before that, and a slow reader as one who takes nothing.
const UNSENT_BYTES: u32 = 32 << 10;

/// Time for the tasks of connections that are stopped to tell the log and the metrics of their requests.
const ENDING_TIME: Duration = Duration::from_millis(100);

/// Time between two looks at the connections of a drain.
const DRAIN_TICK: Duration = Duration::from_millis(25);

/// Time for the errors of streams that a drain has stopped to reach their readers.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves connections until `shutdown` is over, and then waits for the requests that were accepted. New ones on open
/// connections are refused meanwhile. Whatever is not over after `patience` is stopped: streams end with an error.
///
/// Returns true when nothing had to be stopped. It takes a second more than `patience` at most.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    shutdown: impl Future<Output = ()>,
    patience: Duration,
) -> bool {
    let router = router(service.clone());
    serve_router(listener, service, router, shutdown, patience).await
}

/// Serves connections by TLS as [`serve`] does, with HTTP/2 for clients that ask for it by ALPN and HTTP/1.1 for others.
/// Whoever speaks HTTP without TLS is told so.
pub async fn serve_tls(
    listener: TcpListener,
    tls: Tls,
    service: Service,
    shutdown: impl Future<Output = ()>,
    patience: Duration,
) -> bool {
    let server = Server::new(service.clone(), router(service), Some(tls));
    serve_all(listener, server, shutdown, patience).await
}

/// As [`serve`], with this router.
async fn serve_router(
    listener: TcpListener,
    service: Service,
    router: Router,
    shutdown: impl Future<Output = ()>,
    patience: Duration,
) -> bool {
    let server = Server::new(service, router, None);
    serve_all(listener, server, shutdown, patience).await
}

async fn serve_all(
    listener: TcpListener,
    server: Server,
    shutdown: impl Future<Output = ()>,
    patience: Duration,
) -> bool {
    let models = server.service.models().clone();
    let _watch = AbortOnDropHandle::new(tokio::spawn(models.watch()));
    let forgetting = forgetting::watch(server.service.clone());
    let _forgets = AbortOnDropHandle::new(tokio::spawn(forgetting));
    // Listening again changes the length of the queue alone.
    if let Err(error) = SockRef::from(&listener).listen(BACKLOG) {
        tracing::debug!(target: "ampoule::server", %error, "the queue of new connections stays as it is");
    }
    let mut sweep = tokio::time::interval(server.registry.sweep_time());
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            _ = sweep.tick() => server.registry.sweep(),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => server.open(stream, peer).await,
                Err(error) => {
                    tracing::warn!(target: "ampoule::server", %error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    server.drain(listener, patience).await
}

/// The connections of one listener.
struct Server {
    service: Service,
    router: Router,
    protocols: Protocols,
    registry: Registry,
    /// Tasks, one for each connection, and one for each request by HTTP/2.
    tasks: TaskTracker,
    /// Requests that are not answered yet.
    accepted: TaskTracker,
    refusals: Arc<Semaphore>,
}

/// Protocols that connections speak.
#[derive(Clone)]
struct Protocols {
    tls: Option<Tls>,
    http1: http1::Builder,
    http2: hyper::server::conn::http2::Builder<http2::Tasks>,
}

impl Server {
    fn new(service: Service, router: Router, tls: Option<Tls>) -> Self {
        let settings = service.settings().connections.clone();
        let connections = descriptors::connections_within(settings.connections);
        let mut http1 = http1::Builder::new();
        // The sweep bounds times: hyper's own bound of a head's time begins with the wait for it.
        http1
            .header_read_timeout(None)
            .max_header_size(HEAD_BYTES)
            .max_buf_size(BUFFER_BYTES);
        let tasks = TaskTracker::new();
        Self {
            router,
            service,
            protocols: Protocols {
                tls,
                http1,
                http2: http2::builder(&tasks),
            },
            registry: Registry::new(settings, connections),
            tasks,
            accepted: TaskTracker::new(),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
        }
    }

    async fn open(&self, stream: TcpStream, peer: SocketAddr) {
        // Streams send small pieces, and each is awaited.
        let _ = stream.set_nodelay(true);
        #[cfg(target_os = "linux")]
        let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES);
        let refuser = Refuser {
            service: self.service.clone(),
            peer,
        };
        let Some(slot) = self.registry.enter(ROOM_TIME).await else {
            self.service.metrics().connection_refused();
            if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
                let tls = self.protocols.tls.clone();
                self.tasks.spawn(async move {
                    let _ = tokio::time::timeout(REFUSAL_TIME, refuse(stream, tls, refuser)).await;
                    drop(permit);
                });
            }
            return;
        };
        let requests = Requests {
            peer,
            secured: None,
            router: self.router.clone(),
            service: self.service.clone(),
            progress: Arc::clone(slot.progress()),
            accepted: self.accepted.clone(),
        };
        let open = self.service.metrics().connection();
        let driven = drive(stream, slot, requests, refuser, self.protocols.clone());
        self.tasks.spawn(async move {
            driven.await;
            drop(open);
        });
    }

    async fn drain(self, listener: TcpListener, patience: Duration) -> bool {
        let begun = Instant::now();
        self.service.begin_draining();
        // Those that the system has accepted already are told.
        self.open_accepted(listener).await;
        self.accepted.close();
        self.tasks.close();
        let is_answered = self.wait(begun, patience).await;
        let left = patience.saturating_sub(begun.elapsed());
        let is_over = self.service.host().drain(left).await;
        if !is_answered {
            self.wait(begun, patience.saturating_add(LAST_WORDS)).await;
        }
        self.registry.end_all();
        let _ = tokio::time::timeout(ENDING_TIME, self.tasks.wait()).await;
        is_answered && is_over
    }

    /// Opens the connections that the system has accepted already, and listens no more. The system is asked, and not the
    /// runtime: that says after some connections, and before it has looked, that there are none.
    async fn open_accepted(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else {
            return;
        };
        loop {
            match listener.accept() {
                Ok((stream, peer)) => {
                    let is_ready = stream.set_nonblocking(true);
                    if let Ok(stream) = is_ready.and_then(|()| TcpStream::from_std(stream)) {
                        self.open(stream, peer).await;
                    }
                }
                // One of them has gone already.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) => {}
                Err(_) => return,
            }
        }
    }

    /// Waits until all connections are over, at most for `patience` since the drain has begun. Returns true when all
    /// requests are answered.
    async fn wait(&self, begun: Instant, patience: Duration) -> bool {
        let grace = self.service.settings().connections.drain_grace;
        let mut tick = tokio::time::interval(DRAIN_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while begun.elapsed() < patience {
            tokio::select! {
                () = self.tasks.wait() => return true,
                _ = tick.tick() => {
                    self.registry.sweep();
                    if let Some(since) = Instant::now().checked_sub(grace)
                        && begun <= since
                    {
                        self.registry.end_waiting(since);
                    }
                }
            }
        }
        self.accepted.is_empty() && !self.registry.owes()
    }
}

/// Serves one connection to its end.
async fn drive(
    stream: TcpStream,
    slot: Slot,
    mut requests: Requests,
    refuser: Refuser,
    protocols: Protocols,
) {
    let progress = Arc::clone(slot.progress());
    // A connection that says nothing costs no buffer.
    let opened = tokio::select! {
        biased;
        opened = open(stream, protocols.tls.as_ref(), &progress, &refuser) => opened,
        _ = progress.ended(None) => return,
    };
    let Some(stream) = opened else {
        return;
    };
    requests.secured = stream.secured();
    if stream.is_http2() {
        return http2::drive(stream, &progress, requests, protocols.http2).await;
    }
    let wire = Wire::new(stream, Arc::clone(&progress), refuser);
    let mut connection = protocols.http1.serve_connection(wire, requests);
    let mut known = None;
    loop {
        let ending = tokio::select! {
            _ = &mut connection => return,
            ending = progress.ended(known) => ending,
        };
        let error = match ending {
            Ending::Quiet => {
                known = Some(ending);
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
            Ending::Draining => ApiError::draining(),
            Ending::HeadTime => ApiError::head_timeout(),
            Ending::Abrupt => return,
        };
        // The rest of the head may have come in the meantime, and its request is accepted then.
        if progress.phase() == Phase::Head {
            let mut wire = connection.into_parts().io;
            wire.refuse(&error);
            let _ = tokio::time::timeout(REFUSAL_TIME, wire.close()).await;
            return;
        }
        progress.go_on(ending);
    }
}

/// Waits for a connection's first bytes, and notes the family that they ask. Returns `None` where there are none, and where
/// the handshake fails.
async fn open(
    stream: TcpStream,
    tls: Option<&Tls>,
    progress: &Arc<Progress>,
    refuser: &Refuser,
) -> Option<Stream> {
    let mut stream = match tls {
        None => Stream::Plain(stream),
        Some(tls) => shake_hands(stream, &tls.server, progress, refuser).await?,
    };
    // The first bytes of HTTP/2 are always the same.
    let is_open = stream.is_http2() || stream.learn_family(progress).await;
    is_open.then_some(stream)
}

/// Tells a client that there is no room for its connection.
async fn refuse(stream: TcpStream, tls: Option<Tls>, refuser: Refuser) {
    let progress = Arc::new(Progress::new());
    let mut stream = match tls {
        None => Stream::Plain(stream),
        Some(tls) => match shake_hands(stream, &tls.refusals, &progress, &refuser).await {
            Some(stream) => stream,
            None => return,
        },
    };
    if stream.learn_family(&progress).await {
        progress.leave_unread();
        let mut wire = Wire::new(stream, progress, refuser);
        wire.refuse(&ApiError::no_connection());
        // Whoever has gone needs no answer.
        let _ = wire.close().await;
    }
}
