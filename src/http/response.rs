//! Answers as bytes: heads that every firmware reads right, and ranges of files.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode, header};

use super::body::{Body, Outgoing};
use super::condition::{Conditions, Verdict, Version};
use super::range::{Part, part};
use super::story::Story;
use crate::inventory::MediaFile;
use crate::inventory::media_file::Window;
use crate::world::World;
use crate::world::content::InIso;
use crate::world::readers::Readers;
use crate::world::transfers::{Transfer, Transfers, WhenSent};
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

/// Scripts, signatures and configurations: one errand brings them.
const LARGEST_SMALL: usize = 32 * 1024;

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

/// Bytes with a status.
pub fn in_memory(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Response<Body> {
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
    let version = Version {
        tag: format!("\"{:x}-{:x}\"", file.modified, file.size),
        modified: file.modified,
    };
    let (status, first, length) = match wanted_part(file, &version, asked.headers) {
        Ok(part) => part,
        Err(answer) => return *answer,
    };
    let errand = Errand::new(&file.volume, asked.asker, length);
    let wanted = if asked.only_head || when_sent.is_some() { None } else { Some((first, length)) };
    let open = match open(file, wanted, &errand, &asked.world.readers).await {
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
    let mut story = Story::begins(asked.world, asked.asker, file, (first, length));
    let open = match open {
        Open::Read(bytes) => {
            // So little is out as soon as it is handed over.
            story.iter_mut().for_each(|story| story.goes_on(0));
            *answer.body_mut() = Body::Bytes(bytes);
            return answer;
        }
        Open::Unread(window) => window,
    };
    let (readers, transfers) = (asked.world.readers.clone(), &asked.world.transfers);
    let part = first..first + length;
    let when_whole =
        when_sent.map(|tell| transfers.once_whole(asked.asker, &file.path, part, file.size, tell));
    let outgoing = Outgoing::new(open, (first, length), errand, readers)
        .telling(when_whole)
        .told_in(story)
        .showing(transfers.begin_file(asked.asker, &file.path, first, file.size))
        .holding(place.flatten());
    *answer.body_mut() = Body::File(Box::new(outgoing));
    answer
}

/// The status, the first byte and how many, or an answer without any.
fn wanted_part(
    file: &MediaFile,
    version: &Version,
    headers: &HeaderMap,
) -> Result<(StatusCode, u64, u64), Box<Response<Body>>> {
    let value = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let conditions = Conditions {
        matches: value(header::IF_MATCH),
        unmodified_since: value(header::IF_UNMODIFIED_SINCE),
        none_matches: value(header::IF_NONE_MATCH),
        modified_since: value(header::IF_MODIFIED_SINCE),
        range: value(header::IF_RANGE),
    };
    let same = match version.meets(&conditions) {
        Verdict::Send { range } => range,
        Verdict::NotModified => {
            return Err(Box::new(of_version(StatusCode::NOT_MODIFIED, file.size, version)));
        }
        Verdict::Changed => {
            return Err(Box::new(text(StatusCode::PRECONDITION_FAILED, "it has changed\n")));
        }
    };
    // Another version than the one whose rest is asked for: the whole of this one.
    match part(value(header::RANGE).filter(|_| same), file.size) {
        Part::Whole => Ok((StatusCode::OK, 0, file.size)),
        Part::Bytes(first, last) => Ok((StatusCode::PARTIAL_CONTENT, first, last - first + 1)),
        Part::Unsatisfiable => Err(Box::new(unsatisfiable(file.size))),
    }
}

/// A file that was opened.
enum Open {
    /// What is wanted of it is small, and was read at once.
    Read(Bytes),
    /// It is read while it is sent.
    Unread(Window),
}

/// Opens a file, and reads what is wanted (the first byte, and how many) if that is small.
async fn open(
    file: &MediaFile,
    wanted: Option<(u64, u64)>,
    errand: &Errand,
    readers: &Readers,
) -> io::Result<Open> {
    let file = file.clone();
    let small = wanted.and_then(|(first, length)| {
        Some((first, usize::try_from(length).ok().filter(|length| *length <= LARGEST_SMALL)?))
    });
    let opening = readers.read(errand, move || {
        let window = file.open()?;
        let Some((first, length)) = small else {
            return Ok(Open::Unread(window));
        };
        let mut bytes = vec![0; length];
        window.read_exact_at(&mut bytes, first)?;
        Ok(Open::Read(Bytes::from(bytes)))
    });
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
