//! The door before tiny_http: one whole request per connection, or none.
//!
//! tiny_http has no limits and no time-outs, and a long body that is announced and not sent
//! can end the process. So nothing reaches it but a request that is here to its last byte,
//! rewritten to a method, a path and a body. Who is slow to say what he wants loses his place
//! to the next one.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::api;

/// Connections at once: the panel, a few commands, and those that wait for a change.
const MOST_GUESTS: usize = 16;

/// Nothing here needs a body; what is larger is not read.
const LARGEST_BODY: usize = 64 * 1024;

/// Request line and headers.
const LARGEST_HEAD: usize = 8 * 1024;

/// A request is a few hundred bytes from a process on this box.
const ASKING: Duration = Duration::from_secs(2);

/// Longer than any change is waited for.
const ANSWERING: Duration = Duration::from_secs(40);

/// Where everybody is being answered, one who comes waits so long for a place: most answers
/// take a moment. Meanwhile nobody else is let in.
const QUEUEING: Duration = Duration::from_millis(500);

/// A reader that takes nothing for so long has lost the rest.
const TAKING: Duration = Duration::from_secs(5);

/// Of the threads that carry a request to and fro; they hold it on the heap.
const STACK: usize = 128 * 1024;

/// After an error of the listener, which is for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the outer door until the process ends; `inner` is where tiny_http listens.
pub fn run(outer: &UnixListener, inner: &Path) {
    let guests = Arc::new(Guests::default());
    loop {
        match outer.accept() {
            Ok((stream, _)) => Guests::admit(&guests, stream, inner),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                log::warn!("control: cannot accept: {error}; trying again");
                guests.shed();
                thread::sleep(PAUSE);
            }
        }
    }
}

/// Who is here.
#[derive(Default)]
struct Guests {
    list: Mutex<Vec<Guest>>,
    one_left: Condvar,
    /// When somebody waited for a place in vain.
    refused: Mutex<Option<Instant>>,
    last_number: AtomicU64,
}

struct Guest {
    number: u64,
    /// None: he has said what he wants, and is waited for no more.
    asking: Option<UnixStream>,
}

impl Guests {
    fn admit(this: &Arc<Guests>, mut stream: UnixStream, inner: &Path) {
        let Some(place) = this.enter(&stream) else {
            let full = refusal(503, "too many requests are being answered; try again");
            let _ = stream.set_nonblocking(true);
            // His loss.
            let _ = stream.write_all(&full);
            return;
        };
        let inner = inner.to_owned();
        let place = Place { guests: Arc::clone(this), number: place };
        let spawned = thread::Builder::new()
            .name("control-guest".to_owned())
            .stack_size(STACK)
            .spawn(move || place.converse(stream, &inner));
        if let Err(error) = spawned {
            log::warn!("control: no thread for a request: {error}");
        }
    }

    /// A number for a new guest. Where all places are taken, it is that of who was slowest to
    /// ask; none if everybody is being answered, and nobody is done soon.
    fn enter(&self, stream: &UnixStream) -> Option<u64> {
        if self.list().len() >= MOST_GUESTS && !self.shed() && !self.one_leaves() {
            return None;
        }
        let asking = Some(stream.try_clone().ok()?);
        let mut list = self.list();
        // Never the number of one who was shed and is not gone yet.
        let number = self.last_number.fetch_add(1, Ordering::Relaxed);
        list.push(Guest { number, asking });
        Some(number)
    }

    /// Waits a moment for a place; not again right behind one who did so in vain.
    fn one_leaves(&self) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |list: &mut Vec<Guest>| list.len() >= MOST_GUESTS;
        let patience = match *refused {
            Some(refused) if refused.elapsed() < QUEUEING => Duration::ZERO,
            _ => QUEUEING,
        };
        let waited = self.one_left.wait_timeout_while(self.list(), patience, is_full);
        let (list, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if list.len() >= MOST_GUESTS {
            *refused = Some(Instant::now());
            return false;
        }
        true
    }

    /// Ends the connection of who came first and has not asked yet.
    fn shed(&self) -> bool {
        let mut list = self.list();
        let Some(at) = list.iter().position(|guest| guest.asking.is_some()) else {
            return false;
        };
        if let Some(stream) = list.remove(at).asking {
            // He may have left.
            let _ = stream.shutdown(Shutdown::Both);
        }
        true
    }

    fn list(&self) -> MutexGuard<'_, Vec<Guest>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guest's place; it is free when this is dropped.
struct Place {
    guests: Arc<Guests>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.guests.list().retain(|guest| guest.number != self.number);
        self.guests.one_left.notify_one();
    }
}

impl Place {
    fn converse(self, mut stream: UnixStream, inner: &Path) {
        let answer = match receive(&mut stream) {
            Ok(request) => {
                // False: another one has this place.
                if !self.has_asked() {
                    return;
                }
                carry(&request, inner).unwrap_or_else(|error| {
                    log::warn!("control: {error}");
                    refusal(503, "the answer did not come; try again")
                })
            }
            Err(Flaw::Broken) => return,
            Err(Flaw::Wrong(code, words)) => refusal(code, words),
        };
        let _ = stream.set_write_timeout(Some(TAKING));
        // The other side went away: its loss.
        let _ = stream.write_all(&answer);
    }

    fn has_asked(&self) -> bool {
        let mut list = self.guests.list();
        let guest = list.iter_mut().find(|guest| guest.number == self.number);
        guest.map(|guest| guest.asking = None).is_some()
    }
}

/// Why there is no request.
enum Flaw {
    /// He left, or was too slow: there is nobody to tell.
    Broken,
    /// What he is told.
    Wrong(u16, &'static str),
}

impl From<io::Error> for Flaw {
    fn from(_: io::Error) -> Flaw {
        Flaw::Broken
    }
}

/// The whole request, as tiny_http shall see it.
fn receive(stream: &mut UnixStream) -> Result<Vec<u8>, Flaw> {
    let until = Instant::now() + ASKING;
    let mut received = Vec::new();
    let end = loop {
        if let Some(at) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if received.len() > LARGEST_HEAD {
            return Err(Flaw::Wrong(431, "the head of the request is too large"));
        }
        more(stream, &mut received, until)?;
    };
    let mut body = received.split_off(end);
    let (mut request, length) = rewritten(&received)?;
    while body.len() < length {
        more(stream, &mut body, until)?;
    }
    // What follows is another request; there is one per connection.
    body.truncate(length);
    request.extend(body);
    Ok(request)
}

fn more(stream: &mut UnixStream, received: &mut Vec<u8>, until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))?;
    let mut piece = [0; 4096];
    let count = stream.read(&mut piece)?;
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    received.extend(piece.iter().take(count));
    Ok(())
}

/// Method, path and length of the body, with nothing else that a client said.
fn rewritten(head: &[u8]) -> Result<(Vec<u8>, usize), Flaw> {
    const NOT_HTTP: Flaw = Flaw::Wrong(400, "this is not HTTP");
    let head = std::str::from_utf8(head).map_err(|_| NOT_HTTP)?;
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(NOT_HTTP);
    };
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_path = target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_method || !is_path || !version.starts_with("HTTP/1.") {
        return Err(NOT_HTTP);
    }
    let mut length = None;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(NOT_HTTP)?;
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Flaw::Wrong(411, "say the body's length with Content-Length"));
        }
        if name.eq_ignore_ascii_case("content-length") && length.replace(value.trim()).is_some() {
            return Err(NOT_HTTP);
        }
    }
    let length = match length {
        None => 0,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            // What is too long for a number is too long for a body.
            digits.parse().unwrap_or(usize::MAX)
        }
        Some(_) => return Err(NOT_HTTP),
    };
    if length > LARGEST_BODY {
        return Err(Flaw::Wrong(413, "the body is too large"));
    }
    // By 1.0 the end of the answer is the end of the connection.
    let request = format!("{method} {target} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n");
    Ok((request.into_bytes(), length))
}

/// Brings the request to tiny_http, and its answer back.
fn carry(request: &[u8], inner: &Path) -> io::Result<Vec<u8>> {
    let mut server = UnixStream::connect(inner)?;
    server.set_read_timeout(Some(ANSWERING))?;
    server.set_write_timeout(Some(TAKING))?;
    server.write_all(request)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}

/// An answer that tiny_http does not give.
fn refusal(code: u16, words: &str) -> Vec<u8> {
    let answer = api::error(code, words);
    let head = format!(
        "HTTP/1.0 {code} Refused\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        answer.content_type,
        answer.body.len()
    );
    [head.into_bytes(), answer.body].concat()
}

/// Where the inner door of a control socket at `path` is.
pub fn inner(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".inner");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<(String, usize), u16> {
        match rewritten(text.as_bytes()) {
            Ok((request, length)) => Ok((String::from_utf8(request).unwrap(), length)),
            Err(Flaw::Wrong(code, _)) => Err(code),
            Err(Flaw::Broken) => panic!("{text:?}"),
        }
    }

    #[test]
    fn nothing_that_a_client_says_goes_in_but_method_path_and_length() {
        let head = "POST /v1/rescan?a=%20b HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n\
            Expect: 100-continue\r\ncontent-length: 5\r\n\r\n";
        let rewritten = "POST /v1/rescan?a=%20b HTTP/1.0\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(told(head), Ok((rewritten.to_owned(), 5)));
    }

    #[test]
    fn a_request_that_could_harm_is_refused_before_its_body_is_read() {
        let post = |headers: &str| told(&format!("POST / HTTP/1.1\r\n{headers}\r\n"));
        assert_eq!(post("Content-Length: 65536\r\n").unwrap().1, 65_536);
        assert_eq!(post("Content-Length: 65537\r\n"), Err(413));
        assert_eq!(post("Content-Length: 50000000000\r\n"), Err(413));
        assert_eq!(post(&format!("Content-Length: {}\r\n", "9".repeat(99))), Err(413));
        assert_eq!(post("Content-Length: +5\r\n"), Err(400));
        assert_eq!(post("Content-Length: 1\r\nContent-Length: 2\r\n"), Err(400));
        assert_eq!(post("Transfer-Encoding: chunked\r\n"), Err(411));
        for line in ["GET /", "GET  HTTP/1.1", "GET x HTTP/1.1", "G\0T / HTTP/1.1", "GET / FTP"] {
            assert_eq!(told(&format!("{line}\r\n\r\n")), Err(400), "{line:?}");
        }
        assert_eq!(told("GET /ä HTTP/1.1\r\n\r\n"), Err(400));
    }

    /// All places are taken by guests who have asked.
    fn full() -> (Arc<Guests>, UnixStream) {
        let (guests, (stream, _)) = (Arc::new(Guests::default()), UnixStream::pair().unwrap());
        for number in 0..MOST_GUESTS as u64 {
            assert_eq!(guests.enter(&stream), Some(number));
        }
        guests.list().iter_mut().for_each(|guest| guest.asking = None);
        (guests, stream)
    }

    #[test]
    fn who_comes_while_all_are_answered_has_the_place_of_the_first_who_leaves() {
        let (guests, stream) = full();
        thread::scope(|scope| {
            let comes = scope.spawn(|| guests.enter(&stream));
            // Who waits holds this.
            while guests.refused.try_lock().is_ok() && !comes.is_finished() {
                thread::yield_now();
            }
            drop(Place { guests: Arc::clone(&guests), number: 3 });
            assert_eq!(comes.join().unwrap(), Some(MOST_GUESTS as u64));
        });
    }

    #[test]
    fn nobody_waits_behind_one_who_waited_in_vain() {
        let (guests, stream) = full();
        assert_eq!(guests.enter(&stream), None);
        let began = Instant::now();
        assert_eq!(guests.enter(&stream), None);
        assert!(began.elapsed() < QUEUEING);
    }
}
