//! A handler that panics: its caller is told, and nobody else notices.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ampoule::{Host, TrustStore};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::routing::get;
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tower::ServiceExt as _;

use crate::connections::serve_router;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::router::within_layers;
use crate::service::Service;
use crate::settings::ServiceSettings;

/// Longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

const SECRET: &str = "a secret of the operator";

fn service() -> Service {
    let models = Models::default();
    let metrics = Metrics::new(&models);
    let host = Host::builder().trust(TrustStore::new()).build().unwrap();
    Service::new(host, models, metrics, ServiceSettings::default())
}

/// Makes the server's router with routes that panic, before their answer or within it.
fn router(service: &Service) -> Router {
    let panics = || get(async || -> &'static str { panic!("{SECRET}") });
    let breaks = get(async || {
        let first = async || -> std::io::Result<Bytes> { panic!("{SECRET}") };
        Body::from_stream(stream::once(first()))
    });
    let routes = Router::new()
        .route("/v1/panics", panics())
        .route("/api/panics", panics())
        .route("/v1/breaks", breaks)
        .route("/v1/works", get("it works"));
    within_layers(service.clone(), routes)
}

/// A server of these routes. It ends when this is dropped.
struct Running {
    service: Service,
    address: SocketAddr,
    _alive: oneshot::Sender<()>,
    _runtime: Runtime,
}

impl Running {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let service = service();
        let router = router(&service);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (alive, gone) = oneshot::channel::<()>();
        let ended = async {
            let _ = gone.await;
        };
        let served = serve_router(listener, service.clone(), router, ended, Duration::ZERO);
        runtime.spawn(served);
        Self {
            service,
            address,
            _alive: alive,
            _runtime: runtime,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn errors(&self) -> String {
        let metrics = self
            .service
            .metrics()
            .encode(self.service.host(), None, None)
            .unwrap();
        let lines = metrics.lines();
        lines
            .filter(|line| line.starts_with("ampoule_http_errors_total{"))
            .collect()
    }
}

/// Gets a path, and reads one answer whose length is announced.
fn ask(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-request-id: asked\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.unwrap().parse::<usize>().unwrap() {
                return text;
            }
        }
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).unwrap();
        assert_ne!(read, 0, "the connection ended: {text}");
        answer.extend_from_slice(&piece[..read]);
    }
}

#[test]
fn a_panic_is_an_error_in_the_familys_form_and_the_connection_goes_on() {
    let running = Running::start();
    let mut connection = running.connect();
    for (path, form) in [
        ("/v1/panics", "{\"error\":{\"message\":\"internal error"),
        ("/api/panics", "{\"error\":\"internal error"),
    ] {
        let answer = ask(&mut connection, path);
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.contains(form), "{answer}");
        assert!(answer.contains("x-request-id: asked\r\n"), "{answer}");
        assert!(answer.contains("x-should-retry: false\r\n"), "{answer}");
        assert!(!answer.contains(SECRET), "{answer}");
    }
    assert!(ask(&mut connection, "/v1/works").ends_with("it works"));
    let errors = running.errors();
    for family in ["openai", "ollama"] {
        let counted = format!("{{family=\"{family}\",code=\"internal.bug\"}} 1");
        assert!(errors.contains(&counted), "{errors}");
    }
}

#[test]
fn a_panic_within_an_answer_ends_its_connection_and_no_other() {
    let running = Running::start();
    let mut other = running.connect();
    assert!(ask(&mut other, "/v1/works").ends_with("it works"));
    let mut broken = running.connect();
    broken
        .write_all(b"GET /v1/breaks HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    // The end may come as a broken connection.
    let _ = broken.read_to_string(&mut answer);
    assert!(!answer.contains(SECRET), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "it looks whole: {answer}");
    assert!(ask(&mut other, "/v1/works").ends_with("it works"));
    assert!(ask(&mut running.connect(), "/v1/works").ends_with("it works"));
}

#[tokio::test]
async fn a_router_that_a_program_mounts_answers_a_panic_too() {
    let mounted = Router::new()
        .route("/own", get("its own"))
        .fallback_service(router(&service()));
    let ask = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let own = mounted.clone().oneshot(ask("/own")).await.unwrap();
    assert_eq!(own.status(), 200);
    let answer = mounted.oneshot(ask("/v1/panics")).await.unwrap();
    assert_eq!(answer.status(), 500);
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
    let body = String::from_utf8(body.unwrap().to_vec()).unwrap();
    assert!(body.contains("\"internal.bug\""), "{body}");
}
