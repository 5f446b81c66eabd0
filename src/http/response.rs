//! Answers as bytes: heads that every firmware reads right, and ranges of files.

use std::net::Ipv4Addr;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode, header};

use super::body::{Body, FileBody, WhenSent};
use super::range::{Part, part};
use crate::inventory::MediaFile;
use crate::world::transfers::Transfers;

/// What stands at a place.
pub enum Found {
    /// Media type and content.
    Bytes(&'static str, Vec<u8>),
    /// A file, and who wants to know when its last byte was sent.
    File(MediaFile, Option<WhenSent>),
    /// The sticks are not read, or not there: 503.
    NotReady,
    /// The stick fails: 503 for now.
    Unreadable,
    /// It is being verified: 503.
    Unverified,
    /// 404, with what is missing.
    Missing(String),
    /// 403, with the reason.
    Forbidden(String),
}

impl Found {
    /// Whether asking again in a moment may bring it.
    pub fn may_come(&self) -> bool {
        matches!(self, Found::NotReady | Found::Unverified)
    }
}

/// When a client that can wait shall ask again, in seconds.
const RETRY_AFTER: u16 = 5;

/// What the form of an answer depends on.
pub struct Asked<'a> {
    /// The request's headers: ranges and conditions.
    pub headers: &'a HeaderMap,
    /// Who asks.
    pub asker: Ipv4Addr,
    /// HEAD: the same head, and no body.
    pub only_head: bool,
    /// Counts what is on its way.
    pub transfers: &'a Transfers,
}

/// The answer as HTTP.
pub fn respond(found: Found, asked: &Asked) -> Response<Body> {
    let mut answer = whole(found, asked);
    if asked.only_head {
        *answer.body_mut() = Body::Empty;
    }
    answer
}

fn whole(found: Found, asked: &Asked) -> Response<Body> {
    match found {
        Found::Bytes(kind, bytes) => in_memory(StatusCode::OK, kind, bytes),
        Found::File(file, when_sent) => send_file(&file, when_sent, asked),
        Found::NotReady => later("not ready: no stick serves yet\n"),
        Found::Unverified => later("not ready: its signature is being checked\n"),
        Found::Unreadable => unreadable(),
        Found::Missing(name) => {
            text(StatusCode::NOT_FOUND, &format!("there is no {name} on the sticks\n"))
        }
        Found::Forbidden(why) => text(StatusCode::FORBIDDEN, &format!("{why}\n")),
    }
}

fn later(why: &str) -> Response<Body> {
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, why);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    answer
}

/// A plain line with a status.
pub fn text(status: StatusCode, line: &str) -> Response<Body> {
    in_memory(status, "text/plain; charset=utf-8", line.as_bytes().to_vec())
}

fn in_memory(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Response<Body> {
    let length = bytes.len() as u64;
    let mut answer = head(status, length, HeaderValue::from_static(kind));
    *answer.body_mut() = Body::Bytes(Bytes::from(bytes));
    answer
}

/// Content-Length first: shim 16.0 finds it nowhere else (rhboot/shim#770).
fn head(status: StatusCode, length: u64, kind: HeaderValue) -> Response<Body> {
    let mut answer = Response::new(Body::Empty);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CONTENT_TYPE, kind);
    answer
}

fn send_file(file: &MediaFile, when_sent: Option<WhenSent>, asked: &Asked) -> Response<Body> {
    let open = match file.open() {
        Ok(open) => open,
        Err(error) => {
            log::warn!("http: {}: cannot be read: {error}; was the stick pulled?", file.path);
            return unreadable();
        }
    };
    let tag = format!("\"{:x}-{:x}\"", file.modified, file.size);
    let value = |name: HeaderName| asked.headers.get(name).and_then(|value| value.to_str().ok());
    if value(header::IF_NONE_MATCH) == Some(&tag) {
        return head(StatusCode::NOT_MODIFIED, 0, HeaderValue::from_static(BINARY));
    }
    // If-Range with another version of the file means: the whole of the new one.
    let same = value(header::IF_RANGE).is_none_or(|wanted| wanted == tag);
    let range = value(header::RANGE).filter(|_| same);
    let (status, first, length) = match part(range, file.size) {
        Part::Whole => (StatusCode::OK, 0, file.size),
        Part::Bytes(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Part::Unsatisfiable => return unsatisfiable(file.size),
    };
    if !asked.only_head {
        log::info!("http: {} takes {} ({length} bytes)", asked.asker, file.path);
    }
    let mut answer = head(status, length, HeaderValue::from_static(BINARY));
    let headers = answer.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    let ends_whole = first + length == file.size;
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{}", first + length - 1, file.size);
        if let Ok(range) = HeaderValue::from_str(&range) {
            headers.insert(header::CONTENT_RANGE, range);
        }
    }
    let when_sent = when_sent.filter(|_| ends_whole);
    let shown = asked.transfers.begin();
    *answer.body_mut() = Body::File(FileBody::new(open, first, length, when_sent, shown));
    answer
}

fn unreadable() -> Response<Body> {
    text(StatusCode::SERVICE_UNAVAILABLE, "cannot be read from the stick\n")
}

fn unsatisfiable(size: u64) -> Response<Body> {
    let mut answer = text(StatusCode::RANGE_NOT_SATISFIABLE, "the file is shorter than that\n");
    if let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}")) {
        answer.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    answer
}

const BINARY: &str = "application/octet-stream";
