//! The one error of the server, before a family of routes gives it a shape.

use ampoule::{Error, ErrorKind, Limit, Task};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::connections;
use crate::guest_codes;
use crate::request::method;
use crate::said::{Said, said};

/// Milliseconds that a refused caller should wait where nobody knows better. Requests take milliseconds to seconds.
const SHORT_WAIT: u32 = 1_000;

/// Ends the message about a limit that a request used up.
const LIMITS: &str = "; the lowest of the limits that the request, this server's configuration and the model's manifest \
                      set counts, and /ampoule/v1/models lists those of the latter two";

/// Milliseconds after which an audit log may be written again. The writer tries each second.
const AUDIT_WAIT: u32 = 5_000;

/// Milliseconds between two looks at a model that is loading.
const LOADING_WAIT: u32 = 2_000;

/// Milliseconds of the longest wait that OpenAI's clients keep to. After a longer one they would ask too early.
const LONGEST_WAIT: u32 = 60_000;

/// A refusal or a failure of a request. [`families::render`](crate::families::render) makes the answer of it that
/// the family's clients read. What a client reads of it is [`Said`], so it has no words of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// A stable, dotted code, as everywhere in Ampoule.
    pub(crate) code: &'static str,
    /// The code for the operator's log and metrics, where callers get another.
    pub(crate) reason: Option<Box<str>>,
    /// The fault, the expectation, and the way out.
    pub(crate) message: Said,
    /// The field of the request that is at fault.
    pub(crate) param: Option<Said>,
    /// Milliseconds after which to ask again. OpenAI's clients sleep that long, where it is not over [`LONGEST_WAIT`].
    pub(crate) retry_after: Option<u32>,
    /// The request holds more text than the model or the host reads: clients that know this shorten their prompt.
    pub(crate) is_too_long: bool,
    /// The challenge to a caller whose credential does not do, as the header `WWW-Authenticate` has it.
    pub(crate) challenge: Option<&'static str>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<Said>) -> Self {
        Self {
            status,
            code,
            reason: None,
            message: message.into(),
            param: None,
            retry_after: None,
            is_too_long: false,
            challenge: None,
        }
    }

    /// Makes `input.invalid` (400): `param` has a value that cannot be taken.
    pub(crate) fn invalid(param: impl Into<Said>, message: impl Into<Said>) -> Self {
        let error = Self::new(StatusCode::BAD_REQUEST, "input.invalid", message);
        error.at(param)
    }

    /// Makes `input.unsupported` (400): `param` asks for what no model or no route here does. To ignore it would give a
    /// wrong answer silently.
    pub(crate) fn unsupported(param: impl Into<Said>, message: impl Into<Said>) -> Self {
        let error = Self::new(StatusCode::BAD_REQUEST, "input.unsupported", message);
        error.at(param)
    }

    /// Makes `input.too-large` (400): `param` holds more than the host takes, as the library's error of this code says.
    pub(crate) fn too_large(param: impl Into<Said>, message: impl Into<Said>) -> Self {
        let error = Self::new(StatusCode::BAD_REQUEST, "input.too-large", message);
        error.at(param)
    }

    /// Makes `input.too-large` (400): `param` holds more text than the host takes or the model reads.
    pub(crate) fn too_long(param: impl Into<Said>, message: impl Into<Said>) -> Self {
        Self {
            is_too_long: true,
            ..Self::too_large(param, message)
        }
    }

    /// Makes `input.json` (400): the body is not the JSON that the route takes.
    pub(crate) fn json(message: impl Into<Said>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "input.json", message)
    }

    /// Makes `input.form` (400): the body is not the form that the route takes.
    pub(crate) fn form(message: impl Into<Said>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "input.form", message)
    }

    /// Makes `model.unknown` (404). The name that was asked for is the caller's, so it is not repeated.
    pub(crate) fn unknown_model() -> Self {
        // Clients look for "not found".
        let message = "the model was not found; GET /v1/models lists the models that are served";
        Self::new(StatusCode::NOT_FOUND, "model.unknown", message).at("model")
    }

    /// Makes `model.version` (404): the model is served in another version.
    pub(crate) fn unknown_version(served: Said) -> Self {
        let message = said!(
            "the model is served in version {} only, which is also its version 1; ask for either, or for none",
            served
        );
        Self::new(StatusCode::NOT_FOUND, "model.version", message).at("version")
    }

    /// Makes `model.loading` (503): the model is not up yet.
    pub(crate) fn loading(name: Said) -> Self {
        let message = said!("the model `{}` is still being loaded; try again soon", name);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "model.loading", message).after(LOADING_WAIT)
    }

    /// Makes `model.unavailable` (503): the model is not up, and trying again soon does not help. The reason is the
    /// operator's: their log has it.
    pub(crate) fn unavailable(name: Said) -> Self {
        let message = said!(
            "the model `{}` could not be loaded; whoever runs this server finds the reason in its log",
            name
        );
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "model.unavailable",
            message,
        )
    }

    /// Takes the model's name out of an error about a model's state.
    pub(crate) fn without_names(self) -> Self {
        let message =
            "a model does not answer yet; whoever runs this server finds the reason in its log";
        Self {
            message: message.into(),
            param: None,
            ..self
        }
    }

    /// Makes `route.unknown` (404). The path is the caller's, so it is not repeated.
    pub(crate) fn no_route(path: &str) -> Self {
        let message = said!("there is no such route; {}", hint_for(path));
        Self::new(StatusCode::NOT_FOUND, "route.unknown", message)
    }

    /// Makes `route.method` (405).
    pub(crate) fn wrong_method(method: &Method) -> Self {
        let method = method::known(method).unwrap_or("this method");
        let message = said!(
            "this route does not take {}; /openapi.json says what it takes",
            method
        );
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "route.method", message)
    }

    /// Makes `route.operator` (403): models come and go by the operator's hand alone.
    pub(crate) fn operators_only() -> Self {
        let message =
            "models are the operator's here: whoever runs this server adds and removes them";
        Self::new(StatusCode::FORBIDDEN, "route.operator", message)
    }

    /// Makes `route.host` (403): the request's `Host` is no name of this server.
    pub(crate) fn foreign_host() -> Self {
        let message = "the request's Host is no name of this server; call it by localhost or a loopback address, or have \
                       whoever runs it add the name to its setting host-names";
        Self::new(StatusCode::FORBIDDEN, "route.host", message)
    }

    /// Makes `route.origin` (403).
    pub(crate) fn foreign_origin() -> Self {
        let message = "a page of another site has sent this request; the pages that may are those of this server, of \
                       localhost, and of the names in the setting host-names";
        Self::new(StatusCode::FORBIDDEN, "route.origin", message)
    }

    /// Makes `input.body-too-large` (413).
    pub(crate) fn body_too_large(allowed: ampoule::ByteSize) -> Self {
        let message = said!(
            "the body of the request is larger than {}, which is the most here",
            allowed
        );
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "input.body-too-large",
            message,
        )
    }

    /// Makes `input.timeout` (408): the body did not arrive in time.
    pub(crate) fn body_timeout() -> Self {
        let message =
            "the body of the request did not arrive in time; send it faster, or less of it";
        Self::new(StatusCode::REQUEST_TIMEOUT, "input.timeout", message)
    }

    /// Makes `input.head-timeout` (408): the head did not arrive in time.
    pub(crate) fn head_timeout() -> Self {
        let message = "the head of the request did not arrive in time; send it at once";
        Self::new(StatusCode::REQUEST_TIMEOUT, "input.head-timeout", message)
    }

    /// Makes `input.head-too-large` (431).
    pub(crate) fn head_too_large() -> Self {
        let message = said!(
            "the head of the request is larger than {} bytes, or has over 100 headers; send fewer cookies and headers",
            connections::settings::HEAD_BYTES
        );
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "input.head-too-large",
            message,
        )
    }

    /// Makes `input.address-too-long` (414).
    pub(crate) fn address_too_long() -> Self {
        let message = said!(
            "the address of the request is longer than {} bytes, which is the most here",
            connections::settings::ADDRESS_BYTES
        );
        Self::new(StatusCode::URI_TOO_LONG, "input.address-too-long", message)
    }

    /// Makes `input.plain-http` (400): the connection's first bytes are no handshake of TLS.
    pub(crate) fn plain_http() -> Self {
        let message =
            "this server speaks HTTP by TLS only; ask it by an address that begins with https://";
        Self::new(StatusCode::BAD_REQUEST, "input.plain-http", message)
    }

    /// Makes `input.http` (400): these bytes are no request.
    pub(crate) fn not_http() -> Self {
        let message = "the request is not HTTP/1.1 as this server reads it; check its first line and its headers, and \
                       that it is not sent by TLS";
        Self::new(StatusCode::BAD_REQUEST, "input.http", message)
    }

    /// Makes `server.connections` (503): all connections are busy.
    pub(crate) fn no_connection() -> Self {
        let message =
            "the server has as many connections as it can, and all are busy; try again soon";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "server.connections",
            message,
        )
        .after(SHORT_WAIT)
    }

    /// Makes `server.bodies` (503): the bodies of all requests together are too large.
    pub(crate) fn no_room_for_body() -> Self {
        let message = "the requests that are being read are too large together; try again soon";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server.bodies", message).after(SHORT_WAIT)
    }

    /// Makes `server.slow` (503): the server was too busy to go on with an answer in time.
    pub(crate) fn slow() -> Self {
        let message = "the server was too busy to go on with this answer in time; try again soon";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server.slow", message).after(SHORT_WAIT)
    }

    /// Makes `server.answers` (503): the answers that wait for their readers are too large together.
    pub(crate) fn no_room_for_answer() -> Self {
        let message =
            "the answers that their readers have not taken are too large together; try again soon";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server.answers", message).after(SHORT_WAIT)
    }

    /// Makes `input.media-type` (415).
    pub(crate) fn media_type(message: impl Into<Said>) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "input.media-type",
            message,
        )
    }

    /// Makes `guest.answer` (500): the model gave numbers that no client could use.
    pub(crate) fn broken_answer(message: impl Into<Said>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "guest.answer", message)
    }

    /// Makes `server.draining` (503).
    pub(crate) fn draining() -> Self {
        let message =
            "the server is being shut down; ask another one, or this one again once it is back";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server.draining", message).after(SHORT_WAIT)
    }

    /// Makes `audit.unavailable` (503): the request would be missing in the audit log.
    pub(crate) fn audit_unavailable() -> Self {
        let message = "the server cannot record requests at the moment, and answers none that it cannot record; try again \
                       soon";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "audit.unavailable",
            message,
        )
        .after(AUDIT_WAIT)
    }

    /// Makes `internal.bug` (500). The reason goes to the operator's log and not to the caller.
    pub(crate) fn internal(reason: &'static str) -> Self {
        tracing::error!(target: "ampoule::server", reason, "internal error");
        let message = "internal error, please report it; the server's log has the reason";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal.bug", message)
    }

    /// Returns the message with the name of the field at fault, for families whose errors are a text.
    pub(crate) fn text(&self) -> String {
        let message = &*self.message;
        match self.param.as_deref() {
            Some(param) if param != "model" && !message.contains(param) => {
                format!("`{param}`: {message}")
            }
            _ => message.to_owned(),
        }
    }

    /// Returns the code for the operator's log and metrics.
    pub(crate) fn operators_code(&self) -> &str {
        self.reason.as_deref().unwrap_or(self.code)
    }

    /// Names the field at fault.
    pub(crate) fn at(mut self, param: impl Into<Said>) -> Self {
        self.param = Some(param.into());
        self
    }

    fn after(mut self, millis: u32) -> Self {
        self.retry_after = Some(millis);
        self
    }

    /// Returns the whole seconds after which to ask again.
    pub(crate) fn retry_after_seconds(&self) -> Option<u32> {
        self.retry_after.map(|millis| millis.div_ceil(1_000))
    }

    /// Tells whether an identical request may succeed soon. Clients repeat requests that failed with 408, 429 and 5xx, so
    /// each answer says whether they should.
    pub(crate) fn is_retryable(&self) -> bool {
        let is_soon = self.retry_after.is_some_and(|wait| wait <= LONGEST_WAIT);
        is_soon || self.status == StatusCode::REQUEST_TIMEOUT
    }
}

/// Returns a way out for a path without a route. Most such paths come of a client's base address, to which the client adds
/// the rest.
fn hint_for(path: &str) -> &'static str {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    match (parts.next(), parts.next()) {
        (Some("chat" | "completions" | "embeddings" | "models" | "responses"), _) => {
            "OpenAI's routes begin with /v1, so a client's base address ends with it"
        }
        (Some("v1"), Some("v1")) => {
            "it has /v1 twice: this client adds it, so its base address ends without it"
        }
        (Some("v1"), Some("api")) => {
            "Ollama's routes begin with /api, so the base address of its clients has no /v1"
        }
        (Some("api"), Some("api")) => {
            "it has /api twice: this client adds it, so its base address ends without it"
        }
        (Some("api"), Some("v1")) => {
            "OpenAI's routes begin with /v1, so a client's base address has no /api"
        }
        (Some("invocations"), _) => "texts are embedded by POST / and POST /embed",
        _ => "/openapi.json lists those there are",
    }
}

/// Returns the status of an error of the library.
///
/// A limit that the request used up is 422: an identical request uses it up again. A failure of the model is 500, and is
/// marked as not worth repeating.
fn status_of(error: &Error) -> StatusCode {
    if is_unsupported(error) {
        return StatusCode::BAD_REQUEST;
    }
    match error.kind() {
        ErrorKind::Input | ErrorKind::Usage => StatusCode::BAD_REQUEST,
        ErrorKind::Limit => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Busy => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Trust | ErrorKind::Admission => StatusCode::SERVICE_UNAVAILABLE,
        _ if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Tells whether the model says that it cannot do what the request asks for. The contract's word for that is no failure.
fn is_unsupported(error: &Error) -> bool {
    matches!(error, Error::Guest { guest_code, .. } if guest_code == "unsupported")
}

/// Says by which routes a model is asked for what it offers.
pub(crate) fn routes_of(asked: Task, offered: &[Task]) -> Said {
    if asked == Task::TextEmbedding && offered.contains(&Task::ImageEmbedding) {
        ROUTES_OF_PICTURES.into()
    } else {
        ROUTES.into()
    }
}

const ROUTES: &str = "each task has its route, /ampoule/v1/models/{name}/{task}";
const ROUTES_OF_PICTURES: &str = "each task has its route, /ampoule/v1/models/{name}/{task}; /v1/embeddings takes \
                                  pictures as data: URIs";

/// Returns the code for the caller.
fn code_of(error: &Error) -> &'static str {
    match error {
        _ if is_unsupported(error) => "input.unsupported",
        _ if is_withheld(error) => "model.unavailable",
        Error::RefusedInput { code, .. } => guest_codes::refusal(code).0,
        // The rest of the library's errors have codes of the host's own.
        error => error.own_code().unwrap_or("internal.bug"),
    }
}

/// Tells whether an error is about this machine: paths within the bundle, directories, the system.
fn is_withheld(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Trust | ErrorKind::Admission)
}

/// Returns what the caller reads. A guest's own words may repeat the request's, and stay out of it.
fn message_of(error: &Error) -> Said {
    match error {
        _ if is_unsupported(error) => {
            "the model says that it does not do what the request asks for".into()
        }
        _ if is_withheld(error) => {
            "the model is not served at the moment; whoever runs this server finds the reason in its log".into()
        }
        Error::RefusedInput { code, .. } => guest_codes::refusal(code).1.into(),
        Error::InvalidInput { reason } => Said::of_library(reason),
        Error::Busy { reason, .. } => said!(
            "the host is busy: {}; try again later",
            Said::of_library(reason)
        ),
        Error::NoSuchTask { asked, offered } => {
            let offered = tasks_in(offered);
            said!(
                "the model does not offer `{}`; it offers {}; {}",
                *asked,
                Said::joined(offered.iter().copied(), ", "),
                routes_of(*asked, &offered)
            )
        }
        Error::Fuel { used, allowed, .. } => said!(
            "the request used {} of fuel, and {} are allowed{}",
            *used,
            *allowed,
            LIMITS
        ),
        Error::Deadline { allowed, .. } => said!(
            "the request took longer than its deadline of {}{}",
            *allowed,
            LIMITS
        ),
        Error::Memory { asked, allowed, .. } => said!(
            "the request asked for {} of memory in total, and {} are allowed{}",
            *asked,
            *allowed,
            LIMITS
        ),
        Error::TooLarge { .. }
        | Error::Answer { .. }
        | Error::LimitRange { .. }
        | Error::Stack { .. }
        | Error::Output { .. }
        | Error::Chunks { .. }
        | Error::Idle { .. }
        | Error::GenerationOver
        | Error::ClockResolution { .. } => Said::of_library(&error.to_string()),
        Error::Guest { .. } => "the model failed with an error of its own; its publisher can tell why".into(),
        Error::Trap { .. } => "the model crashed at this request; tell its publisher".into(),
        _ => "the server failed; whoever runs it finds the reason in its log".into(),
    }
}

/// Returns the tasks whose names are in a list.
fn tasks_in(names: &str) -> Vec<Task> {
    let names = names.split(", ");
    names
        .filter_map(|name| Task::ALL.into_iter().find(|task| task.name() == name))
        .collect()
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let is_too_long = matches!(
            &error,
            Error::TooLarge {
                limit: Some(Limit::TextChars | Limit::Turns),
                ..
            }
        ) || matches!(&error, Error::RefusedInput { code, .. } if code == "input.too-large");
        if matches!(error.kind(), ErrorKind::Io | ErrorKind::Internal) {
            tracing::error!(target: "ampoule::server", code = error.code(), %error, "failed");
        }
        let param = matches!(error, Error::NoSuchTask { .. }).then_some(Said::from("model"));
        Self {
            param,
            reason: is_withheld(&error).then(|| error.code().into()),
            is_too_long,
            retry_after: error.is_retryable().then_some(SHORT_WAIT),
            ..Self::new(status_of(&error), code_of(&error), message_of(&error))
        }
    }
}

impl IntoResponse for ApiError {
    /// Leaves the error for the outermost layer, which knows the family.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
