//! The end of each request, told once to the metrics and to the access log, however the request ends.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::error::ApiError;
use crate::http::access_log;
use crate::request::context::{Context, Notes};
use crate::request::ended::{Ended, Outcome, Peer};
use crate::request::seen::Seen;
use crate::service::Service;
use crate::tls::Secured;
use crate::traces;

/// Stands for the pattern of a route that there is not. Patterns begin with a slash.
const NO_ROUTE: &str = "unknown";

/// Drop guard of a request. Dropping it tells of the request's end.
#[derive(Debug)]
pub(crate) struct Observation {
    service: Service,
    context: Context,
    method: Method,
    peer: Option<SocketAddr>,
    client: Option<IpAddr>,
    tls: Option<&'static str>,
    status: Option<StatusCode>,
    bytes: u64,
    is_whole: bool,
}

impl Observation {
    /// Begins to observe a request.
    pub(crate) fn begin(service: &Service, context: &Context, request: &Request) -> Self {
        service.metrics().request_began();
        Self {
            service: service.clone(),
            context: context.clone(),
            method: request.method().clone(),
            peer: request.extensions().get().map(|Peer(address)| *address),
            client: request.extensions().get().map(|seen: &Seen| seen.address),
            tls: request.extensions().get().map(|tls: &Secured| tls.version),
            status: None,
            bytes: 0,
            is_whole: false,
        }
    }

    /// Observes the answer to its end.
    pub(crate) fn of(mut self, response: Response) -> Response {
        self.status = Some(response.status());
        // Nobody reads a body that has none, nor the body of an answer to HEAD.
        self.is_whole = response.body().is_end_stream() || self.method == Method::HEAD;
        response.map(|body| {
            Body::new(ObservedBody {
                body,
                observation: self,
            })
        })
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let mut notes = self.context.notes().clone();
        if notes.has_left {
            // The answer says that the body broke off, and nobody reads that.
            self.status = None;
            notes.error = None;
        }
        let outcome = match (&notes.error, self.is_whole && !notes.has_left) {
            (_, false) => Outcome::ClientGone,
            (Some(_), true) => Outcome::Error,
            (None, true) => Outcome::Finished,
        };
        let ended = Ended {
            family: self.context.family(),
            method: Some(&self.method),
            route: notes
                .route
                .as_ref()
                .map_or(NO_ROUTE, |route| route.as_str()),
            peer: self.peer,
            client: self.client,
            tls: self.tls,
            status: self.status,
            outcome,
            bytes: self.bytes,
            took: self.context.begun().elapsed(),
            notes: &notes,
            id: self.context.id(),
            trace_id: self.context.span().trace_id(),
        };
        if let Some(charge) = self.context.take_charge() {
            let tokens = notes.input_tokens.saturating_add(notes.output_tokens);
            if has_told_all(&ended) {
                charge.settle(tokens, notes.fuel, Instant::now());
            } else {
                charge.settle_at_least(tokens, notes.fuel, Instant::now());
            }
        }
        self.service.metrics().request_ended(&ended);
        access_log::write(&ended);
        if let Some(audit) = self.service.protection().audit() {
            audit.end(&ended, self.context.take_row());
        }
        traces::end(self.context.span(), &ended);
    }
}

/// Tells whether a request's notes hold all that it used. A model tells its tokens at the end of its answer, and a sandbox
/// that fails tells no fuel.
fn has_told_all(ended: &Ended<'_>) -> bool {
    let has_failed_in_sandbox = || {
        let code = ended.notes.error.as_deref().unwrap_or_default();
        let is_limit = ended.status == Some(StatusCode::UNPROCESSABLE_ENTITY);
        ended.notes.sandboxes > 0
            || code.starts_with("guest.")
            || (is_limit && code.starts_with("limit."))
    };
    match ended.outcome {
        Outcome::Finished => true,
        Outcome::ClientGone => false,
        Outcome::Error => !has_failed_in_sandbox(),
    }
}

/// Tells of a request that was refused before its head could be read: it has no method.
///
/// `took` is the time for which the server had waited for the head, and `bytes` is the length of the refusal's body.
pub(crate) fn refused_unread(
    service: &Service,
    context: &Context,
    peer: SocketAddr,
    error: &ApiError,
    bytes: u64,
    took: Duration,
) {
    let notes = Notes {
        error: Some(error.operators_code().to_owned()),
        ..Notes::default()
    };
    let ended = Ended {
        family: context.family(),
        method: None,
        route: NO_ROUTE,
        peer: Some(peer),
        client: None,
        tls: None,
        status: Some(error.status),
        outcome: Outcome::Error,
        bytes,
        took,
        notes: &notes,
        id: context.id(),
        trace_id: None,
    };
    service.metrics().request_began();
    service.metrics().request_ended(&ended);
    access_log::write(&ended);
    if let Some(audit) = service.protection().audit() {
        audit.end(&ended, None);
    }
}

/// The body of an answer, counted. Its connection drops it when the last byte was taken, or when the client is gone.
#[derive(Debug)]
struct ObservedBody {
    body: Body,
    observation: Observation,
}

impl HttpBody for ObservedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.observation.bytes += bytes as u64;
                // A connection that knows the length does not ask for the end.
                self.observation.is_whole |= self.body.is_end_stream();
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
            Poll::Ready(None) => self.observation.is_whole = true,
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
