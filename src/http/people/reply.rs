//! Answers for browsers: what they may do with them stands in the head.

use std::time::Duration;

use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::super::body::Body;
use super::super::page::policy;
use super::super::response::{self, in_memory};
use crate::control::api::ApiAnswer;
use crate::control::metrics::MEDIA_TYPE;

/// Before its number.
pub const COOKIE: &str = "pxeberry=";

/// No script reads it, no other site's request carries it.
const COOKIE_RULES: &str = "; HttpOnly; SameSite=Strict; Path=/";

/// A page; none: there was no thread to make it.
pub fn html(status: StatusCode, page: Option<String>) -> Response<Body> {
    match page {
        Some(page) => safe(in_memory(status, "text/html; charset=utf-8", page.into_bytes())),
        None => text(StatusCode::SERVICE_UNAVAILABLE, "not now\n"),
    }
}

/// A plain line.
pub fn text(status: StatusCode, line: &str) -> Response<Body> {
    safe(response::text(status, line))
}

/// What the API says.
pub fn fill(answer: Option<ApiAnswer>) -> Response<Body> {
    let Some(answer) = answer else {
        return json(StatusCode::SERVICE_UNAVAILABLE, "not now");
    };
    let status = StatusCode::from_u16(answer.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut filled = safe(in_memory(status, answer.content_type, answer.body));
    if let Some(methods) = answer.allow {
        insert(&mut filled, header::ALLOW, methods);
    }
    filled
}

/// An error of the API's kind.
pub fn json(status: StatusCode, error: &str) -> Response<Body> {
    let body = serde_json::json!({ "error": error }).to_string();
    safe(in_memory(status, "application/json", body.into_bytes()))
}

/// The number that programs send with each change.
pub fn token(token: &str) -> Response<Body> {
    let body = serde_json::json!({ "token": token }).to_string();
    safe(in_memory(StatusCode::OK, "application/json", body.into_bytes()))
}

/// After a form: the page to look at.
pub fn moved(to: &str) -> Response<Body> {
    let mut answer = text(StatusCode::SEE_OTHER, "done\n");
    insert(&mut answer, header::LOCATION, to);
    answer
}

/// 405
pub fn no_method(allowed: &str) -> Response<Body> {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "another method works here\n");
    insert(&mut answer, header::ALLOW, allowed);
    answer
}

/// Numbers for Prometheus. None: there was no thread to count them.
pub fn metrics(made: Option<String>) -> Response<Body> {
    match made {
        Some(numbers) => in_memory(StatusCode::OK, MEDIA_TYPE, numbers.into_bytes()),
        None => text(StatusCode::SERVICE_UNAVAILABLE, "not now\n"),
    }
}

/// With the session's number.
pub fn signed_in(mut answer: Response<Body>, number: &str) -> Response<Body> {
    insert(&mut answer, header::SET_COOKIE, &format!("{COOKIE}{number}{COOKIE_RULES}"));
    answer
}

/// Without one.
pub fn signed_out(mut answer: Response<Body>) -> Response<Body> {
    insert(&mut answer, header::SET_COOKIE, &format!("{COOKIE}{COOKIE_RULES}; Max-Age=0"));
    answer
}

/// And when to come again.
pub fn with_retry(mut answer: Response<Body>, wait: Duration) -> Response<Body> {
    let seconds = wait.as_secs().saturating_add(1).to_string();
    insert(&mut answer, header::RETRY_AFTER, &seconds);
    answer
}

fn safe(mut answer: Response<Body>) -> Response<Body> {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // No policy of none: browsers would name no origin with our own forms then.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        insert(&mut answer, name, value);
    }
    answer
}

/// Words and numbers of ours: always a header's value.
fn insert(answer: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}
