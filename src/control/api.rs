//! The API: what is asked and what is answered, whoever carries it. The control socket does,
//! and the LAN's side for reading.
//!
//! `openapi.json` beside this file describes it; a test holds the two together.

use std::time::Instant;

use log::Level;
use serde::Serialize;
use serde_json::json;

use super::acts::{Act, perform, reboot};
use super::images::images;
use super::machines::{Machine, called, machines, story};
use super::status::{conditions, problems, status};
use crate::logging;
use crate::net::Mac;
use crate::world::World;
use crate::world::media::Scanner;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct ApiRequest<'a> {
    /// `GET`
    pub method: &'a str,
    /// `/v1/machines/52:54:00:00:00:01`
    pub path: &'a str,
    /// Behind the question mark, which is not part of it; may be empty.
    pub query: &'a str,
    /// May be empty.
    pub body: &'a [u8],
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAnswer {
    /// The HTTP status.
    pub code: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The methods that work here, with 405.
    pub allow: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
}

/// Written as they are: a tree of values of thousands of them would take twice as long.
#[derive(Serialize)]
struct Machines {
    machines: Vec<Machine>,
}

/// The API's own description.
const DESCRIPTION: &str = include_str!("openapi.json");

const JSON: &str = "application/json";

/// What Wireshark and tcpdump read.
const PCAP: &str = "application/vnd.tcpdump.pcap";

/// A place of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place<'a> {
    Status,
    Machines,
    Machine(&'a str),
    Capture(&'a str),
    Act(&'a str, Act),
    Images,
    Problems,
    Log,
    Changes,
    Conditions,
    Rescan,
    Reboot,
    SafeMode,
    Description,
}

/// Answers at once; who has to wait for a change first is told by [`waits_for`].
pub fn answer(world: &World, scanner: &Scanner, request: &ApiRequest) -> ApiAnswer {
    let Some(place) = place(request.path) else {
        return error(404, "there is nothing of this name");
    };
    let allow = place.method();
    let read = allow == "GET" && matches!(request.method, "GET" | "HEAD");
    if !read && request.method != allow {
        let allow = if allow == "GET" { "GET, HEAD" } else { allow };
        return ApiAnswer { allow: Some(allow), ..error(405, "wrong method") };
    }
    match place {
        Place::Status => json(200, &status(world)),
        Place::Machines => json(200, &Machines { machines: machines(world) }),
        Place::Machine(word) => with(world, word, |mac| match story(world, mac) {
            Some(story) => json(200, &story),
            None => unknown(),
        }),
        Place::Capture(word) => with(world, word, |mac| capture(world, mac)),
        Place::Act(word, act) => with(world, word, |mac| perform(world, mac, act)),
        Place::Images => json(200, &images(world)),
        Place::Problems => json(200, &json!({ "problems": problems(world) })),
        Place::Log => with_number(request.query, log),
        Place::Changes => {
            with_number(request.query, |_| json(200, &json!({ "revision": world.revision() })))
        }
        Place::Conditions => json(200, &json!({ "conditions": conditions(world) })),
        Place::Rescan => {
            scanner.request();
            json(202, &json!({ "ok": true }))
        }
        Place::Reboot => reboot(world),
        Place::SafeMode => {
            // For as long as these servers run. That it outlives them, the panel has noted:
            // they may write nowhere.
            world.enter_safe_mode();
            json(200, &json!({ "ok": true }))
        }
        Place::Description => ApiAnswer {
            code: 200,
            content_type: JSON,
            allow: None,
            body: DESCRIPTION.as_bytes().to_vec(),
        },
    }
}

/// Whether only who may command this box may ask this: it changes something, or tells what
/// machines said to each other.
pub fn needs_rights(request: &ApiRequest) -> bool {
    let place = place(request.path);
    place.is_some_and(|place| place.method() == "POST" || matches!(place, Place::Capture(_)))
}

/// The revision that this request knows already: it is to be answered when there is another
/// one, or when it has waited long enough.
pub fn waits_for(request: &ApiRequest) -> Option<u64> {
    let waits = request.method == "GET" && place(request.path) == Some(Place::Changes);
    waits.then(|| after(request.query).ok().flatten()).flatten()
}

fn place(path: &str) -> Option<Place<'_>> {
    // What the panel asks for lies at the top, too.
    let path = path.strip_prefix("/v1").unwrap_or(path);
    if let Some(rest) = path.strip_prefix("/machines/") {
        return match rest.split_once('/') {
            None => Some(Place::Machine(rest)),
            Some((word, "capture")) => Some(Place::Capture(word)),
            Some((word, "arm")) => Some(Place::Act(word, Act::Arm)),
            Some((word, "disarm")) => Some(Place::Act(word, Act::Disarm)),
            Some((word, "wake")) => Some(Place::Act(word, Act::Wake)),
            Some((word, "reboot")) => Some(Place::Act(word, Act::Reboot)),
            Some(_) => None,
        };
    }
    match path {
        "/status" => Some(Place::Status),
        "/machines" => Some(Place::Machines),
        "/images" => Some(Place::Images),
        "/problems" => Some(Place::Problems),
        "/log" => Some(Place::Log),
        "/changes" => Some(Place::Changes),
        "/conditions" => Some(Place::Conditions),
        "/rescan" => Some(Place::Rescan),
        "/reboot" => Some(Place::Reboot),
        "/safe-mode" => Some(Place::SafeMode),
        "/openapi.json" => Some(Place::Description),
        _ => None,
    }
}

impl Place<'_> {
    fn method(&self) -> &'static str {
        match self {
            Place::Act(..) | Place::Rescan | Place::Reboot | Place::SafeMode => "POST",
            _ => "GET",
        }
    }
}

fn with(world: &World, word: &str, act: impl FnOnce(Mac) -> ApiAnswer) -> ApiAnswer {
    match decoded(word).and_then(|word| called(world, &word)) {
        Some(mac) => act(mac),
        None => unknown(),
    }
}

/// Names may hold what a path cannot (RFC 3986 §2.1).
fn decoded(word: &str) -> Option<String> {
    let mut bytes = word.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let value = digit(bytes.next()?)? * 16 + digit(bytes.next()?)?;
                u8::try_from(value).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(plain).ok()
}

fn unknown() -> ApiAnswer {
    error(404, "no machine of this name or MAC is known here; `pxeberry machines` lists them")
}

fn capture(world: &World, mac: Mac) -> ApiAnswer {
    match world.capture(mac) {
        Some(body) => ApiAnswer { code: 200, content_type: PCAP, allow: None, body },
        None => error(404, "no packets of this machine are kept"),
    }
}

fn log(after: Option<u64>) -> ApiAnswer {
    let (lines, next) = logging::ring_after(after.unwrap_or(0));
    let now = Instant::now();
    let lines: Vec<_> = lines.iter().map(|line| shown(line, now)).collect();
    json(200, &json!({ "lines": lines, "next": next }))
}

fn shown(line: &logging::Line, now: Instant) -> serde_json::Value {
    let level = match line.level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info | Level::Debug | Level::Trace => "info",
    };
    json!({ "number": line.number, "ago": line.ago(now), "level": level, "text": line.text })
}

fn with_number(query: &str, act: impl FnOnce(Option<u64>) -> ApiAnswer) -> ApiAnswer {
    match after(query) {
        Ok(number) => act(number),
        Err(()) => error(400, "write it like ?after=12"),
    }
}

/// `after=12`, or nothing.
fn after(query: &str) -> Result<Option<u64>, ()> {
    let mut fields = query.split('&').filter(|field| !field.is_empty());
    let value = fields.find_map(|field| field.strip_prefix("after="));
    value.map(|value| value.parse().map_err(|_| ())).transpose()
}

/// `{"error": …}`
pub fn error(code: u16, message: &str) -> ApiAnswer {
    json(code, &json!({ "error": message }))
}

/// Any of our own types.
pub fn json(code: u16, value: &impl Serialize) -> ApiAnswer {
    // They always are JSON.
    let body = serde_json::to_vec(value).unwrap_or_default();
    ApiAnswer { code, content_type: JSON, allow: None, body }
}

#[cfg(test)]
mod tests;
