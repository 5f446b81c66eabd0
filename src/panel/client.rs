//! The least HTTP that the control socket needs: one request, one answer, one deadline.
//!
//! HTTP/1.0 over a Unix socket. It refuses to wait beyond its deadline at any step (also
//! for a server that is stopped with a full queue), to read more than [`LARGEST_ANSWER`],
//! and anything but a plain body.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Answers to the panel are a line long; this bounds what a broken server can cost.
pub const LARGEST_ANSWER: usize = 64 * 1024;

/// What the server said.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, without its head.
    pub body: Vec<u8>,
}

/// Why there is no answer. The operation that failed; the cause is its `source`.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody listens, or not fast enough.
    Connect(io::Error),
    /// The request could not be sent in time.
    Send(io::Error),
    /// The answer did not come, or not whole, in time.
    Receive(io::Error),
    /// The answer is larger than [`LARGEST_ANSWER`].
    TooLarge,
    /// The answer is not HTTP.
    NotHttp,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What a socket calls its time-out says nothing to a person.
            ClientError::Receive(error) if timed_out(error) => f.write_str("no answer in time"),
            ClientError::Connect(error) => write!(f, "cannot connect ({error})"),
            ClientError::Send(error) => write!(f, "cannot send the request ({error})"),
            ClientError::Receive(error) => write!(f, "no whole answer ({error})"),
            ClientError::TooLarge => write!(f, "an answer of more than {LARGEST_ANSWER} bytes"),
            ClientError::NotHttp => f.write_str("an answer that is not HTTP"),
        }
    }
}

impl std::error::Error for ClientError {}

/// Asks `method` (`GET`, `POST`) for `path` and waits at most `patience` in all.
pub fn ask(
    socket: &Path,
    method: &str,
    path: &str,
    patience: Duration,
) -> Result<Answer, ClientError> {
    let deadline = Deadline(Instant::now() + patience);
    let mut stream = connect(socket).map_err(ClientError::Connect)?;
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: pxeberry\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    deadline.apply(&stream).map_err(ClientError::Send)?;
    stream.write_all(request.as_bytes()).map_err(ClientError::Send)?;
    let mut received = Vec::new();
    loop {
        if let Some(answer) = parse(&received, false)? {
            return Ok(answer);
        }
        let mut chunk = [0; 4096];
        deadline.apply(&stream).map_err(ClientError::Receive)?;
        let count = match stream.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result.map_err(ClientError::Receive)?,
        };
        if count == 0 {
            return parse(&received, true)?.ok_or_else(cut);
        }
        received.extend(chunk.iter().take(count));
        if received.len() > LARGEST_ANSWER {
            return Err(ClientError::TooLarge);
        }
    }
}

/// A Unix socket connects at once or, when the listener's queue is full, not at all; only
/// a non-blocking one says so instead of waiting for as long as the listener is stopped.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

struct Deadline(Instant);

impl Deadline {
    fn apply(&self, stream: &UnixStream) -> io::Result<()> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        stream.set_write_timeout(Some(left))
    }
}

/// The answer, if it is whole; `ended` says that nothing more will come.
fn parse(received: &[u8], ended: bool) -> Result<Option<Answer>, ClientError> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, rest) = received.split_at(end);
    let body = rest.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| ClientError::NotHttp)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(status).ok_or(ClientError::NotHttp)?;
    let length = match lines.find_map(content_length) {
        Some(length) => length.ok_or(ClientError::NotHttp)?,
        None if ended => body.len(),
        None => return Ok(None),
    };
    if length > LARGEST_ANSWER {
        return Err(ClientError::TooLarge);
    }
    match body.get(..length) {
        Some(body) => Ok(Some(Answer { status, body: body.to_vec() })),
        None if ended => Err(cut()),
        None => Ok(None),
    }
}

fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The server died in the middle.
fn cut() -> ClientError {
    ClientError::Receive(io::ErrorKind::UnexpectedEof.into())
}

fn status(line: &str) -> Option<u16> {
    let (version, rest) = line.split_once(' ')?;
    let code = rest.split(' ').next()?;
    version.starts_with("HTTP/1.").then(|| code.parse().ok())?
}

/// None: another header. Some(None): not a length.
fn content_length(line: &str) -> Option<Option<usize>> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::thread;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A path for a socket that is gone with the test.
    pub struct Socket(pub PathBuf);

    impl Socket {
        pub fn new(test: &str) -> Socket {
            let name = format!("pxeberry-{}-{test}.sock", std::process::id());
            Socket(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// Sends `bytes` to whoever connects and closes; what was asked is thrown away.
    fn answered_with(test: &str, bytes: &'static [u8]) -> Result<Answer, ClientError> {
        let socket = Socket::new(test);
        let listener = UnixListener::bind(&socket.0).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            // The client may refuse in the middle and close.
            let _ = stream.write_all(bytes);
        });
        let answer = ask(&socket.0, "GET", "/conditions", PATIENCE);
        server.join().unwrap();
        answer
    }

    #[test]
    fn it_talks_with_the_servers_http_library() {
        let socket = Socket::new("tiny-http");
        let server = tiny_http::Server::http_unix(&socket.0).unwrap();
        let serving = thread::spawn(move || {
            let request = server.recv().unwrap();
            let asked = format!("{} {}", request.method(), request.url());
            request.respond(tiny_http::Response::from_string("{}")).unwrap();
            asked
        });
        let answer = ask(&socket.0, "POST", "/rescan", PATIENCE).unwrap();
        assert_eq!(answer, Answer { status: 200, body: b"{}".to_vec() });
        assert_eq!(serving.join().unwrap(), "POST /rescan");
    }

    #[test]
    fn a_body_ends_where_its_length_or_the_connection_ends() {
        let answer = answered_with("length", b"HTTP/1.1 202 Ok\r\ncontent-length: 2\r\n\r\n{}xx");
        assert_eq!(answer.unwrap(), Answer { status: 202, body: b"{}".to_vec() });
        let answer = answered_with("end", b"HTTP/1.0 503 Busy\r\n\r\nlater");
        assert_eq!(answer.unwrap(), Answer { status: 503, body: b"later".to_vec() });
    }

    #[test]
    fn a_cut_answer_is_no_answer() {
        let cut = answered_with("cut", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}");
        assert!(matches!(cut, Err(ClientError::Receive(_))), "{cut:?}");
        let cut = answered_with("cut-head", b"HTTP/1.1 200 OK\r\nCont");
        assert!(matches!(cut, Err(ClientError::Receive(_))), "{cut:?}");
    }

    #[test]
    fn what_is_not_http_is_refused() {
        let odd = answered_with("odd", b"220 mail.example ESMTP\r\n\r\n");
        assert!(matches!(odd, Err(ClientError::NotHttp)), "{odd:?}");
        let odd = answered_with("odd-length", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n");
        assert!(matches!(odd, Err(ClientError::NotHttp)), "{odd:?}");
    }

    #[test]
    fn an_answer_without_end_is_refused_at_64_kib() {
        static FLOOD: [u8; 1 << 20] = [b'x'; 1 << 20];
        let flood = answered_with("flood", &FLOOD);
        assert!(matches!(flood, Err(ClientError::TooLarge)), "{flood:?}");
        let said = answered_with("said", b"HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n");
        assert!(matches!(said, Err(ClientError::TooLarge)), "{said:?}");
    }

    #[test]
    fn nobody_there_is_told_at_once() {
        let nobody = ask(&Socket::new("nobody").0, "GET", "/", PATIENCE);
        assert!(matches!(nobody, Err(ClientError::Connect(_))), "{nobody:?}");
    }

    #[test]
    fn a_stopped_server_costs_no_more_than_the_deadline() {
        let socket = Socket::new("stopped");
        let listener = UnixListener::bind(&socket.0).unwrap();
        let start = Instant::now();
        let silent = ask(&socket.0, "GET", "/", Duration::from_millis(100));
        assert!(matches!(silent, Err(ClientError::Receive(_))), "{silent:?}");
        assert!(start.elapsed() >= Duration::from_millis(100));
        // Nobody accepts, so the queue fills; a blocking connect would now wait for ever.
        let mut held = Vec::new();
        while let Ok(stream) = connect(&socket.0) {
            held.push(stream);
            assert!(held.len() < 10_000);
        }
        let full = ask(&socket.0, "GET", "/", PATIENCE);
        assert!(matches!(full, Err(ClientError::Connect(_))), "{full:?}");
        drop(listener);
    }

    #[test]
    fn a_server_that_dribbles_is_held_to_the_same_deadline() {
        let socket = Socket::new("dribble");
        let listener = UnixListener::bind(&socket.0).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.write_all(b"H").is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let start = Instant::now();
        let dribbled = ask(&socket.0, "GET", "/", Duration::from_millis(200));
        assert!(matches!(dribbled, Err(ClientError::Receive(_))), "{dribbled:?}");
        assert!(start.elapsed() < Duration::from_secs(3));
        server.join().unwrap();
    }
}
