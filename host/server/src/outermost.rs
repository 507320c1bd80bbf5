//! The outermost layer of all routes: the request's id, slashes that clients add, and errors in the form of the request's family.

use std::error::Error as _;
use std::io;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::header::ALLOW;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hyper::body::Body as HttpBody;
use tower::ServiceExt as _;

use crate::connections::settings::ADDRESS_BYTES;
use crate::error::ApiError;
use crate::families;
use crate::http::frames::Frames;
use crate::http::observation::Observation;
use crate::http::{cors, security_headers};
use crate::protection::rate_headers;
use crate::request::context::{Context, REQUEST_ID};
use crate::request::family::Family;
use crate::request::probe::is_probe;
use crate::request::room::SMALL_ANSWER;
use crate::service::Service;
use crate::traces::RequestSpan;

/// Tells of an answer if it was kept from an earlier request: `hit` or `miss`. Absent where no answer is kept.
const CACHE: HeaderName = HeaderName::from_static("x-ampoule-cache");

/// Answers one request. The answer has the request's id, and an error is rendered for the clients of the path's family,
/// whatever layer it comes from.
pub(crate) async fn answer(service: &Service, router: Router, mut request: Request) -> Response {
    if let Some(uri) = with_plain_slashes(request.uri()) {
        *request.uri_mut() = uri;
    }
    let seen = service.protection().seen(&request);
    request.extensions_mut().insert(seen);
    let origins = &service.settings().cors_origins;
    let page = cors::allowed(origins, request.headers());
    let is_by_tls_alone = security_headers::is_by_tls_alone(&request);
    let family = Family::of(request.method().as_str(), request.uri().path());
    // Those who watch the server ask every few seconds.
    let traces = service.traces().filter(|_| !is_probe(request.uri().path()));
    let span = RequestSpan::begin(traces, &request);
    let context = Context::traced(family, request.headers().get(REQUEST_ID), span);
    // It tells of the request's end, also when this future is dropped because the client is gone.
    let observation = Observation::begin(service, &context, &request);
    request.extensions_mut().insert(context.clone());
    let (counted, noted) = (context.clone(), context.clone());
    let request = request.map(|body| {
        let counted = body.inspect_frame(move |frame| {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            counted.notes().body_bytes += bytes as u64;
        });
        Body::new(counted.inspect_err(move |error| {
            noted.notes().has_left |= has_left(error);
        }))
    });
    let mut response = match refusal(service, &request) {
        Some(error) => error.into_response(),
        None => {
            let Ok(response) = router.oneshot(request).await;
            response
        }
    };
    // The body is read, and a stream that begins now may last for minutes.
    context.leave_room();
    let mut room = None;
    if let Some(bytes) = HttpBody::size_hint(response.body()).exact()
        && bytes > SMALL_ANSWER
    {
        match service.rooms().answer(bytes) {
            Ok(permit) => room = Some(permit),
            Err(error) => response = error.into_response(),
        }
    }
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        context.notes().error = Some(error.operators_code().to_owned());
        // The router says with its refusal of a method which ones the route takes.
        let allowed = response.headers_mut().remove(ALLOW);
        response = families::render(family, &error);
        if let Some(methods) = allowed {
            response.headers_mut().insert(ALLOW, methods);
        }
    }
    let notes = context.notes();
    let counted = notes.caller.clone().zip(notes.counted);
    drop(notes);
    if let Some((caller, counted)) = counted {
        let standing = service.protection().standing(&caller, counted);
        rate_headers::add(response.headers_mut(), &standing);
    }
    let cache = context.notes().cache();
    if let Some(cache) = cache {
        response
            .headers_mut()
            .insert(CACHE, HeaderValue::from_static(cache));
    }
    cors::add(response.headers_mut(), origins, page);
    security_headers::add(response.headers_mut(), is_by_tls_alone);
    if let Ok(id) = HeaderValue::from_str(context.id()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let stall_time = service.settings().connections.stall_time;
    observation.of(response.map(|body| Body::new(Frames::new(body, room, stall_time))))
}

/// Tells whether a body broke off because its connection ended, and not because its frames cannot be read.
fn has_left(error: &axum::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let is_over = error
            .downcast_ref()
            .is_some_and(hyper::Error::is_incomplete_message);
        let is_broken = error.downcast_ref().is_some_and(|error: &io::Error| {
            matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::UnexpectedEof
            )
        });
        if is_over || is_broken {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Notes the pattern of a request's route.
pub(crate) async fn note_route(context: Context, route: MatchedPath, request: Request) -> Request {
    context.notes().route = Some(route);
    request
}

/// Refuses a request for what every route refuses. Those who watch the server ask until its end.
fn refusal(service: &Service, request: &Request) -> Option<ApiError> {
    let address = request.uri().path_and_query();
    if address.is_some_and(|address| address.as_str().len() > ADDRESS_BYTES) {
        return Some(ApiError::address_too_long());
    }
    let is_refused = service.is_draining() && !is_probe(request.uri().path());
    is_refused.then(ApiError::draining)
}

/// Answers a panic of a handler, which is a bug.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response<Body> {
    ApiError::internal("a handler panicked").into_response()
}

/// Returns the address with each run of slashes in its path made one, and without slashes at the path's end. Clients make
/// such paths of a base address that ends in a slash, and do not follow redirections of a POST.
fn with_plain_slashes(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let ends_in_slash = path.len() > 1 && path.ends_with('/');
    if !ends_in_slash && !path.contains("//") {
        return None;
    }
    let mut single = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !single.ends_with('/') {
            single.push(character);
        }
    }
    if single.len() > 1 && single.ends_with('/') {
        single.pop();
    }
    if let Some(query) = uri.query() {
        single.push('?');
        single.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(single).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_slashes_are_one_those_at_the_end_none_and_the_query_stays() {
        for (given, expected) in [
            ("//v1/models", "/v1/models"),
            ("/v1//models?a=//b", "/v1/models?a=//b"),
            ("///", "/"),
            ("/v1/models/", "/v1/models"),
            ("/v1//models//?a=/", "/v1/models?a=/"),
        ] {
            let uri: Uri = given.parse().unwrap_or_default();
            let single = with_plain_slashes(&uri).map(|uri| uri.to_string());
            assert_eq!(single.as_deref(), Some(expected), "{given}");
        }
        let plain = Uri::from_static("/v1/models?a=//b");
        assert_eq!(with_plain_slashes(&plain), None);
        assert_eq!(with_plain_slashes(&Uri::from_static("/")), None);
    }
}
