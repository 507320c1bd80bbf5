//! Generations as bodies that are sent while they are made, for every family.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use futures_util::stream;

use crate::core::generation::{End, Event, Events};
use crate::error::ApiError;
use crate::request::context::Context;
use crate::service::Service;

/// Asks nginx to pass each piece on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A family's form of a stream: it writes whole frames to the end of `out`. Frames of server-sent events are written by
/// [`sse`](crate::http::sse), lines of JSON by [`ndjson`](crate::http::ndjson).
///
/// The calls come in this order: `begin`; `text`, `end` and `silence` any number of times, with one `end` for each choice
/// and no text of a choice after its end; then `close`. A `fail` may come at any place after `begin`, and ends it all.
pub(crate) trait Dialect: Send + 'static {
    /// Writes the frames that come before any text.
    fn begin(&mut self, out: &mut Vec<u8>);

    /// Writes the next text of a choice, which is not empty.
    fn text(&mut self, choice: usize, text: String, out: &mut Vec<u8>);

    /// Writes the end of a choice.
    fn end(&mut self, end: End, out: &mut Vec<u8>);

    /// Writes the frames that come after the end of the last choice.
    fn close(&mut self, out: &mut Vec<u8>);

    /// Writes a frame that changes nothing, so that nobody in between takes the silence for the end.
    fn silence(&mut self, out: &mut Vec<u8>);

    /// Writes the frames that say an error.
    fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>);
}

/// Makes the answer that sends these events. Dropping its body ends their guests.
pub(crate) fn response(
    media_type: &'static str,
    service: &Service,
    context: Context,
    events: Events,
    dialect: impl Dialect,
) -> Response {
    let silence = service.settings().silence;
    let mut response = Response::new(body(silence, context, events, dialect));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Makes the body that sends these events, with a frame after each silence of this length.
pub(crate) fn body(
    silence: Duration,
    context: Context,
    events: Events,
    dialect: impl Dialect,
) -> Body {
    let body = Streamed {
        events,
        dialect,
        context,
        silence,
        state: State::Begin,
    };
    let pieces = stream::unfold(body, async |mut body| {
        let piece = body.next().await?;
        Some((Ok::<_, Infallible>(piece), body))
    });
    Body::from_stream(Box::pin(pieces))
}

/// A body in progress.
struct Streamed<D> {
    events: Events,
    dialect: D,
    context: Context,
    silence: Duration,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    Going,
    Over,
}

impl<D: Dialect> Streamed<D> {
    /// Returns the next frames, which are never empty; `None` after the last.
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        while out.is_empty() {
            match self.state {
                State::Begin => {
                    self.dialect.begin(&mut out);
                    self.state = State::Going;
                }
                State::Going => self.go_on(&mut out).await,
                State::Over => return None,
            }
        }
        Some(out.into())
    }

    async fn go_on(&mut self, out: &mut Vec<u8>) {
        let Ok(next) = tokio::time::timeout(self.silence, self.events.next()).await else {
            return self.dialect.silence(out);
        };
        match next {
            Some(Ok(Event::Text { choice, text })) => self.dialect.text(choice, text, out),
            Some(Ok(Event::End(end))) => self.dialect.end(end, out),
            Some(Err(error)) => {
                self.context.notes().error = Some(error.operators_code().to_owned());
                self.dialect.fail(&error, out);
                self.state = State::Over;
            }
            None => {
                self.dialect.close(out);
                self.state = State::Over;
            }
        }
    }
}
