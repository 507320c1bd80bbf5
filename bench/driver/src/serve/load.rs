//! Clients in a closed loop: each sends its next request when the answer to the last one is there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that is kept from request to request.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("the server does not listen")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::with_capacity(64 * 1024, stream),
            body: Vec::new(),
        })
    }

    /// Sends a whole request and reads the answer's body.
    pub(super) fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.get_mut().write_all(request)?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.trim().to_owned();
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse()?);
            }
        }
        let Some(length) = length else {
            bail!("the answer has no length");
        };
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body)?;
        ensure!(
            status.contains(" 200 "),
            "the server answered {status}: {}",
            String::from_utf8_lossy(&self.body)
        );
        Ok(&self.body)
    }
}

/// Makes a request to post JSON.
pub(super) fn post(address: SocketAddr, path: &str, json: &str) -> Vec<u8> {
    let length = json.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n\
         {json}"
    )
    .into_bytes()
}

/// Times of all requests of one turn.
pub(super) struct Turn {
    /// Milliseconds of each request.
    pub(super) ms: Vec<f64>,
    /// Requests a second, over all clients.
    pub(super) per_second: f64,
}

/// Lets so many clients ask for so long. Each client begins with another of the requests.
pub(super) fn turn(
    address: SocketAddr,
    requests: &[Vec<u8>],
    clients: usize,
    time: Duration,
) -> Result<Turn> {
    let connections: Vec<Connection> = (0..clients)
        .map(|_| Connection::open(address))
        .collect::<Result<_>>()?;
    let is_over = AtomicBool::new(false);
    let begun = Instant::now();
    let times: Vec<Result<Vec<f64>>> = thread::scope(|scope| {
        let run = |(client, mut connection): (usize, Connection)| {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut times = Vec::new();
                for request in requests.iter().cycle().skip(client) {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let begun = Instant::now();
                    connection.ask(request)?;
                    times.push(begun.elapsed().as_secs_f64() * 1e3);
                }
                Ok(times)
            })
        };
        let running: Vec<_> = connections.into_iter().enumerate().map(run).collect();
        thread::sleep(time);
        is_over.store(true, Ordering::Relaxed);
        let end = |running: thread::ScopedJoinHandle<'_, _>| {
            running
                .join()
                .unwrap_or_else(|_| bail!("a client panicked"))
        };
        running.into_iter().map(end).collect()
    });
    let took = begun.elapsed().as_secs_f64();
    let ms: Vec<f64> = times.into_iter().collect::<Result<Vec<_>>>()?.concat();
    #[allow(clippy::cast_precision_loss, reason = "a count of some thousands")]
    let per_second = ms.len() as f64 / took;
    Ok(Turn { ms, per_second })
}
