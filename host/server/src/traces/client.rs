//! The HTTP client that posts traces to a collector.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::{Request, Response};
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError};
use ureq::Agent;

use crate::traces::collector::Collector;

/// Bytes of a collector's answer that are read: it says how many spans it refused.
const ANSWER_BYTES: u64 = 64 << 10;

/// Posts on the thread that asks, which is the exporter's own. A collector that fails is told in the log once, and once
/// more when it is back.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    collector: String,
    is_away: AtomicBool,
}

impl Client {
    /// Makes a client of this collector that gives up a request after `patience`.
    pub(super) fn new(collector: &Collector, patience: Duration) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(patience))
            .http_status_as_error(false)
            .max_redirects(0)
            // The variables for proxies are meant for the way out, and the collector runs beside the server.
            .proxy(None);
        Self {
            agent: config.build().into(),
            collector: collector.to_string(),
            is_away: AtomicBool::new(false),
        }
    }

    fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, body.as_ref());
        let (head, mut body) = self.agent.run(request)?.into_parts();
        let bytes = body.with_config().limit(ANSWER_BYTES).read_to_vec()?;
        Ok(Response::from_parts(head, bytes.into()))
    }

    /// Tells of a collector that is away or back, once for each change.
    fn tell(&self, fault: Option<String>) {
        let was_away = self.is_away.swap(fault.is_some(), Ordering::Relaxed);
        match fault {
            Some(fault) if !was_away => tracing::warn!(
                target: "ampoule::server",
                collector = self.collector, fault,
                "the collector takes no traces; they are lost until it does, and requests are answered all the same"
            ),
            None if was_away => tracing::info!(
                target: "ampoule::server",
                collector = self.collector,
                "the collector takes traces again"
            ),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.post(request);
        self.tell(match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("status {}", answer.status())),
            Err(error) => Some(error.to_string()),
        });
        Ok(answer?)
    }
}
