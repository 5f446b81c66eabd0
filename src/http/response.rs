//! Answers as bytes: heads that every firmware reads right, and ranges of files.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode, header};

use super::body::{Body, FileBody, Sending, WhenSent};
use super::condition::{Conditions, Verdict, Version};
use super::range::{Part, part};
use super::story::Story;
use crate::inventory::MediaFile;
use crate::inventory::media_file::Window;
use crate::world::World;
use crate::world::content::InIso;
use crate::world::readers::Readers;
use crate::world::transfers::{Transfer, Transfers};
use crate::world::turns::Errand;

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
    /// Inside an ISO, which must be looked into first.
    InIso(InIso, Option<WhenSent>),
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

    /// The same, and who wants to know when its last byte was sent.
    pub fn telling(self, when_sent: Option<WhenSent>) -> Found {
        match self {
            Found::File(file, _) => Found::File(file, when_sent),
            Found::InIso(place, _) => Found::InIso(place, when_sent),
            other => other,
        }
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
    /// Who reads files, and counts what is on its way.
    pub world: &'a Arc<World>,
    /// Places for downloads.
    pub downloads: &'a Downloads,
}

/// Places for downloads; the other connections are always left for what is small.
pub struct Downloads {
    running: Transfers,
    most: usize,
}

impl Downloads {
    /// No more than `most` at once.
    pub fn limited_to(most: usize) -> Downloads {
        Downloads { running: Transfers::default(), most }
    }

    fn begin(&self) -> Option<Transfer> {
        self.running.begin_within(self.most)
    }
}

/// How long a stick may take to open a file. UEFI waits 5 s for the first byte.
pub const OPEN_DEADLINE: Duration = Duration::from_secs(4);

/// The answer as HTTP.
pub async fn respond(found: Found, asked: &Asked<'_>) -> Response<Body> {
    let mut answer = match found {
        Found::Bytes(kind, bytes) => in_memory(StatusCode::OK, kind, bytes),
        Found::File(file, when_sent) => send_file(&file, when_sent, asked).await,
        Found::NotReady => later("not ready: no stick serves yet\n"),
        Found::Unverified => later("not ready: its signature is being checked\n"),
        Found::Unreadable | Found::InIso(..) => later(UNREADABLE),
        Found::Missing(name) => {
            text(StatusCode::NOT_FOUND, &format!("there is no {name} on the sticks\n"))
        }
        Found::Forbidden(why) => text(StatusCode::FORBIDDEN, &format!("{why}\n")),
    };
    if asked.only_head {
        *answer.body_mut() = Body::Empty;
    }
    answer
}

/// 503: who can wait asks again.
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

async fn send_file(
    file: &MediaFile,
    when_sent: Option<WhenSent>,
    asked: &Asked<'_>,
) -> Response<Body> {
    let value = |name: HeaderName| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let version = Version {
        tag: format!("\"{:x}-{:x}\"", file.modified, file.size),
        modified: file.modified,
    };
    let conditions = Conditions {
        matches: value(header::IF_MATCH),
        unmodified_since: value(header::IF_UNMODIFIED_SINCE),
        none_matches: value(header::IF_NONE_MATCH),
        modified_since: value(header::IF_MODIFIED_SINCE),
        range: value(header::IF_RANGE),
    };
    let same = match version.meets(&conditions) {
        Verdict::Send { range } => range,
        Verdict::NotModified => return of_version(StatusCode::NOT_MODIFIED, file.size, &version),
        Verdict::Changed => return text(StatusCode::PRECONDITION_FAILED, "it has changed\n"),
    };
    // Another version than the one whose rest is asked for: the whole of this one.
    let range = value(header::RANGE).filter(|_| same);
    let (status, first, length) = match part(range, file.size) {
        Part::Whole => (StatusCode::OK, 0, file.size),
        Part::Bytes(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Part::Unsatisfiable => return unsatisfiable(file.size),
    };
    let errand = Errand::new(&file.volume, asked.asker, length);
    let open = match open(file, &errand, &asked.world.readers).await {
        Ok(open) => open,
        Err(error) => {
            log::warn!("http: {}: cannot be read: {error}; was the stick pulled?", file.path);
            return later(UNREADABLE);
        }
    };
    let mut answer = of_version(status, length, &version);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{}", first + length - 1, file.size);
        insert(&mut answer, header::CONTENT_RANGE, &range);
    }
    if asked.only_head {
        return answer;
    }
    let place = errand.download.then(|| asked.downloads.begin());
    if matches!(place, Some(None)) {
        return later("too many downloads are running\n");
    }
    log::info!("http: {} takes {} ({length} bytes)", asked.asker, file.path);
    let ends_whole = first + length == file.size;
    let sending = Sending {
        first,
        length,
        errand,
        readers: asked.world.readers.clone(),
        shown: asked.world.transfers.begin(),
        place: place.flatten(),
        when_sent: when_sent.filter(|_| ends_whole),
        story: Story::begins(asked.world, asked.asker, file, (first, length)),
    };
    *answer.body_mut() = Body::File(FileBody::new(open, sending));
    answer
}

async fn open(file: &MediaFile, errand: &Errand, readers: &Readers) -> io::Result<Window> {
    let file = file.clone();
    let opening = readers.read(errand, move || file.open());
    match tokio::time::timeout(OPEN_DEADLINE, opening).await {
        Ok(opened) => opened.unwrap_or_else(|given_up| Err(io::Error::other(given_up))),
        Err(late) => Err(io::Error::other(late)),
    }
}

/// The head of an answer about a file.
fn of_version(status: StatusCode, length: u64, version: &Version) -> Response<Body> {
    let mut answer = head(status, length, HeaderValue::from_static(BINARY));
    answer.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    insert(&mut answer, header::ETAG, &version.tag);
    insert(&mut answer, header::LAST_MODIFIED, &version.date().to_string());
    answer
}

/// Numbers, tags and dates of ours: always a header's value.
fn insert(answer: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

fn unsatisfiable(size: u64) -> Response<Body> {
    let mut answer = text(StatusCode::RANGE_NOT_SATISFIABLE, "the file is shorter than that\n");
    insert(&mut answer, header::CONTENT_RANGE, &format!("bytes */{size}"));
    answer
}

const UNREADABLE: &str = "cannot be read from the stick\n";

const BINARY: &str = "application/octet-stream";
