//! Requests of a connection: counted until they are answered, with the rest of their bodies in view.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt as _;

use crate::connections::exchange::Exchange;
use crate::connections::progress::Progress;
use crate::connections::settings::REFUSAL_TIME;
use crate::request::ended::Peer;
use crate::request::family::Family;
use crate::service::Service;
use crate::tls::Secured;

/// Bytes of an unread body that are read before the answer, so that the connection is of use for a next request.
const SMALL_REST: u64 = 64 << 10;

/// Time for a small rest. A client's head and body are two packets, one right after the other.
const REST_TIME: Duration = Duration::from_millis(100);

/// Answers the requests of one connection.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) router: Router,
    /// The address at the other end.
    pub(super) peer: SocketAddr,
    /// The connection's TLS, once it is known.
    pub(super) secured: Option<Secured>,
    pub(super) service: Service,
    pub(super) progress: Arc<Progress>,
    /// The requests of all connections that are not answered yet.
    pub(super) accepted: TaskTracker,
}

impl hyper::service::Service<Request<Incoming>> for Requests {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        // Counted first: who sees no request after the drain has begun has seen all that are not refused.
        let accepted = self.accepted.token();
        let has_body = !request.body().is_end_stream();
        let family = Family::of(request.method().as_str(), request.uri().path());
        let exchange = Exchange::begin(&self.progress, family, has_body);
        let expects = request.headers().contains_key(EXPECT);
        let (sender, mut rest) = oneshot::channel();
        let mut request = request.map(|incoming| {
            Body::new(Upload {
                incoming: Some(incoming),
                exchange: exchange.clone(),
                rest: Some(sender),
            })
        });
        request.extensions_mut().insert(Peer(self.peer));
        if let Some(secured) = &self.secured {
            request.extensions_mut().insert(secured.clone());
        }
        let router = self.router.clone();
        let service = self.service.clone();
        Box::pin(async move {
            let Ok(mut response) = router.oneshot(request).await;
            if exchange.is_stream() {
                if let Ok(rest) = rest.try_recv() {
                    tokio::spawn(throw_away(rest));
                }
            } else {
                // Who expects a 100 sends no body before it, and is refused without it.
                let is_read = expects || read_rest(rest, &exchange).await;
                if service.is_draining() || (exchange.is_unread() && (expects || !is_read)) {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
            }
            Ok(response.map(|body| Answer {
                body,
                exchange,
                _accepted: accepted,
            }))
        })
    }
}

/// Reads the rest of a body that nobody has read, if it is small. Returns false where there is more.
async fn read_rest(mut rest: oneshot::Receiver<Incoming>, exchange: &Exchange) -> bool {
    let Ok(mut rest) = rest.try_recv() else {
        return !exchange.is_unread();
    };
    let is_small = HttpBody::size_hint(&rest)
        .upper()
        .is_some_and(|bytes| bytes <= SMALL_REST);
    let read = async {
        while let Some(frame) = rest.frame().await {
            if frame.is_err() {
                return false;
            }
        }
        true
    };
    let is_read = is_small
        && tokio::time::timeout(REST_TIME, read)
            .await
            .unwrap_or_default();
    if is_read {
        exchange.leave_nothing();
    }
    is_read
}

/// Throws the rest of a stream's body away for a time. A client that still sends when its stream is reset may be told of that,
/// and not of the answer (curl before version 8).
async fn throw_away(mut rest: Incoming) {
    let read = async { while let Some(Ok(_)) = rest.frame().await {} };
    let _ = tokio::time::timeout(REFUSAL_TIME, read).await;
}

/// A request's body. Dropped early, it notes that its rest is unread.
struct Upload {
    incoming: Option<Incoming>,
    exchange: Exchange,
    rest: Option<oneshot::Sender<Incoming>>,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let frame = std::task::ready!(Pin::new(&mut *incoming).poll_frame(cx));
        let is_over = !matches!(frame, Some(Ok(_))) || incoming.is_end_stream();
        self.exchange.received();
        if is_over {
            self.incoming = None;
            self.exchange.uploaded();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let incoming = self.incoming.as_ref();
        incoming.map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take() else {
            return;
        };
        if !incoming.is_end_stream() {
            self.exchange.leave_unread();
            if let Some(rest) = self.rest.take() {
                // An answer that is sent already waits for no rest.
                let _ = rest.send(incoming);
            }
        }
    }
}

/// An answer's body. The request is over when this is dropped.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    exchange: Exchange,
    _accepted: TaskTrackerToken,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        let handed = |frame: Frame<Bytes>| frame.map_data(|bytes| self.exchange.handed(bytes));
        Poll::Ready(polled.map(|frame| frame.map(handed)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        HttpBody::size_hint(&self.body)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.exchange.answered();
    }
}
