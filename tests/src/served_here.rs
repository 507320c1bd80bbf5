//! A server in the test's own process, for tests that look at its host or hold a moment of its life.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ampoule::{Counters, Host, Model};
use ampoule_server::{Metrics, Models, Service, ServiceSettings, serve};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::raw_client::RawClient;

/// Longest time for the next bytes of an answer, or for the end of a drain, on a busy machine.
const READ_TIME: Duration = Duration::from_secs(60);

/// A server in this process. It ends when this is dropped.
pub struct ServedHere {
    service: Service,
    address: SocketAddr,
    alive: Option<oneshot::Sender<()>>,
    served: JoinHandle<bool>,
    runtime: Runtime,
}

impl ServedHere {
    /// Serves a model of this host under the name `model`. Nothing is waited for at the end.
    ///
    /// # Panics
    ///
    /// If the system gives no threads or no port.
    #[must_use]
    pub fn start(host: Host, settings: ServiceSettings, model: Model) -> Self {
        let models = Models::default();
        models.add("model", &[]).unwrap().serve_fixed(model);
        Self::of_models(host, &models, settings, Duration::ZERO)
    }

    /// Serves these models of this host, and waits for what has begun for so long at the end.
    ///
    /// # Panics
    ///
    /// If the system gives no threads or no port.
    #[must_use]
    pub fn of_models(
        host: Host,
        models: &Models,
        settings: ServiceSettings,
        patience: Duration,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let metrics = Metrics::new(models);
        let service = Service::new(host, models.clone(), metrics, settings);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (alive, gone) = oneshot::channel::<()>();
        let ended = async {
            let _ = gone.await;
        };
        let served = runtime.spawn(serve(listener, service.clone(), ended, patience));
        Self {
            service,
            address,
            alive: Some(alive),
            served,
            runtime,
        }
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens a connection for bytes.
    ///
    /// # Panics
    ///
    /// If the server takes none.
    #[must_use]
    pub fn connect(&self) -> RawClient {
        RawClient::connect(self.address).unwrap()
    }

    /// Returns the gauges and totals of the half of the host that answers.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.service.host().counters().serving
    }

    /// Tells the server to end, as a signal does, and waits until it refuses new requests.
    ///
    /// # Panics
    ///
    /// If it does not begin to.
    pub fn end(&mut self) {
        drop(self.alive.take());
        let begun = Instant::now();
        while !self.service.is_draining() {
            assert!(begun.elapsed() < READ_TIME, "the drain does not begin");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for the end of a server that was told to end. Returns true when nothing had to be stopped.
    ///
    /// # Panics
    ///
    /// If it does not end.
    #[must_use]
    pub fn wait(self) -> bool {
        let served = async { tokio::time::timeout(READ_TIME, self.served).await };
        self.runtime.block_on(served).unwrap().unwrap()
    }

    /// Sends a request and reads nothing. It is one of HTTP/1.0, whose answer is not cut into chunks of its own.
    ///
    /// # Panics
    ///
    /// If the server takes no connection.
    #[must_use]
    pub fn ask(&self, path: &str, body: &Value) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        stream
    }

    /// Gets a path, and reads the whole answer: its head and its body.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn get(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let head = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        read_answer(stream)
    }

    /// Sends a request and reads the whole answer: its head and its body.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> (String, String) {
        read_answer(self.ask(path, body))
    }
}

/// Reads an answer to the end of its connection: its head and its body.
///
/// # Panics
///
/// If it is none, or does not come in time.
#[must_use]
pub fn read_answer(mut stream: TcpStream) -> (String, String) {
    stream.set_read_timeout(Some(READ_TIME)).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}
