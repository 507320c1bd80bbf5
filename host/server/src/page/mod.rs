//! The page at `/`: files that are part of the program, with headers that let the browser run nothing else.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use crate::error::ApiError;
use crate::http::name::Name;
use crate::protection::routes::Routes;
use crate::protection::rule::Rule;

/// Allows the page's own files, and requests to this server, and nothing else: neither inline code nor a form's own
/// submission, nor another site's frame around the page. Text cannot become markup either, as the page makes no trusted
/// types.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' blob: data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Headers of each file.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    // A newer program has newer files under the same names. The browser asks each time, and the tag spares the body.
    (CACHE_CONTROL, "no-cache"),
];

/// Digits of a tag: enough for the files of all versions that there will be.
const TAG_DIGITS: usize = 32;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
#[derive(Debug)]
struct File {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($name:literal: $media_type:ident),* $(,)?) => {
        [$(File {
            name: $name,
            media_type: $media_type,
            text: include_str!(concat!("assets/", $name)),
        }),*]
    };
}

static INDEX: File = File {
    name: "index.html",
    media_type: HTML,
    text: include_str!("assets/index.html"),
};

/// The files under `/page`.
static FILES: &[File] = &files![
    "api.js": SCRIPT,
    "ask.js": SCRIPT,
    "classify.js": SCRIPT,
    "code.js": SCRIPT,
    "compare.js": SCRIPT,
    "dom.js": SCRIPT,
    "events.js": SCRIPT,
    "format.js": SCRIPT,
    "icon.svg": SVG,
    "label.js": SCRIPT,
    "login.js": SCRIPT,
    "page.css": CSS,
    "page.js": SCRIPT,
    "pictures.js": SCRIPT,
    "results.js": SCRIPT,
    "tabs.js": SCRIPT,
];

/// Tags of the files, those of [`FILES`] first and that of [`INDEX`] last.
static TAGS: LazyLock<Vec<String>> =
    LazyLock::new(|| FILES.iter().chain([&INDEX]).map(tag_of).collect());

/// Adds the routes of the page's files. The page itself is [`index`], whose path others share.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes.add_undescribed(Rule::Public, "/page/{file}", get(file))
}

/// Returns the page, or 304 where the browser has it.
pub(crate) fn index(headers: &HeaderMap) -> Response {
    answer(&INDEX, TAGS.last(), headers)
}

async fn file(Name(name): Name, headers: HeaderMap) -> Result<Response, ApiError> {
    let mut files = FILES.iter().zip(TAGS.iter());
    let found = files.find(|(file, _)| file.name == name);
    let (file, tag) = found.ok_or_else(|| ApiError::no_route(&format!("/page/{name}")))?;
    Ok(answer(file, Some(tag), &headers))
}

fn answer(file: &File, tag: Option<&String>, headers: &HeaderMap) -> Response {
    let is_known = tag.is_some_and(|tag| names(headers, tag));
    let mut response = if is_known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        Response::new(Body::from(file.text))
    };
    let set = response.headers_mut();
    for (name, value) in HEADERS {
        set.insert(name, HeaderValue::from_static(value));
    }
    set.insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
        set.insert(ETAG, tag);
    }
    response
}

/// Tells whether `If-None-Match` names this tag. The weak form of a tag counts too: proxies that compress make it.
fn names(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter();
    let mut tags = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tags.any(|given| {
        let given = given.trim();
        given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag
    })
}

fn tag_of(file: &File) -> String {
    let digest = Sha256::digest(file.text);
    let digits = digest.iter().map(|byte| format!("{byte:02x}"));
    let mut digits: String = digits.collect();
    digits.truncate(TAG_DIGITS);
    format!("\"{digits}\"")
}
