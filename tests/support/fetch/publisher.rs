//! A server that stands in for a publisher, and does what servers and networks do.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// What goes wrong with one answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection ends after so many bytes.
    Cut(usize),
    /// No more comes after so many bytes; `Publisher::stalled` tells.
    Stall(usize),
    /// One bit of this byte is wrong.
    Flip(usize),
    /// The part that was asked for is not known: the whole file comes.
    NoRange,
    /// Another file has taken the place of the one that was there.
    Replaced,
    /// The same, and the part that was asked for is one of the other file.
    ReplacedPart,
    /// Another content than the next time.
    Instead(Vec<u8>),
    /// It says that it is so large.
    Says(u64),
    /// It never ends, and says no length.
    Endless,
    /// Another status than 200.
    Status(u16),
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// Once each, in order, for requests that are not HEAD.
    faults: BTreeMap<String, VecDeque<Fault>>,
    always: BTreeMap<String, Fault>,
    redirects: BTreeMap<String, String>,
    log: Vec<String>,
}

/// The server; it ends with the test's process.
pub struct Publisher {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stalled: Receiver<()>,
}

struct Request {
    method: String,
    path: String,
    from: Option<usize>,
    validator: Option<String>,
}

const ETAG: &str = "\"first\"";

impl Publisher {
    /// Serves nothing yet, on a free port of this machine.
    pub fn start() -> Publisher {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let (stall, stalled) = channel();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, stall) = (Arc::clone(&shared), stall.clone());
                // A client that goes away is no failure here.
                thread::spawn(move || answer(stream, &state, &stall));
            }
        });
        Publisher { address, state, stalled }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves a file.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.state.lock().unwrap().files.insert(path.to_owned(), content.into());
    }

    /// Sends requests for `path` elsewhere.
    pub fn redirect(&self, path: &str, to: &str) {
        self.state.lock().unwrap().redirects.insert(path.to_owned(), to.to_owned());
    }

    /// What it serves under `path`.
    pub fn file(&self, path: &str) -> Vec<u8> {
        self.state.lock().unwrap().files[path].clone()
    }

    /// The next answers for this path go wrong so, one after the other.
    pub fn fail(&self, path: &str, faults: &[Fault]) {
        self.state.lock().unwrap().faults.insert(path.to_owned(), faults.to_vec().into());
    }

    /// All answers for this path go wrong so, HEAD's too.
    pub fn always(&self, path: &str, fault: Fault) {
        self.state.lock().unwrap().always.insert(path.to_owned(), fault);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        let mut state = self.state.lock().unwrap();
        state.faults.clear();
        state.always.clear();
    }

    /// What was asked since the last call: `GET /path`, `GET /path from 5`.
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }

    /// Waits until an answer has stalled.
    pub fn stalled(&self) {
        self.stalled.recv_timeout(std::time::Duration::from_secs(15)).unwrap();
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>, stall: &Sender<()>) -> Option<()> {
    let request = read(&stream)?;
    let (content, elsewhere, fault) = {
        let mut state = state.lock().unwrap();
        let from = request.from.map_or_else(String::new, |from| format!(" from {from}"));
        state.log.push(format!("{} {}{from}", request.method, request.path));
        let once = (request.method == "GET")
            .then(|| state.faults.get_mut(&request.path).and_then(VecDeque::pop_front));
        let fault = once.flatten().or_else(|| state.always.get(&request.path).cloned());
        let elsewhere = state.redirects.get(&request.path).cloned();
        (state.files.get(&request.path).cloned(), elsewhere, fault)
    };
    let to = &mut stream;
    if let Some(elsewhere) = elsewhere {
        return head(to, &format!("302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0"));
    }
    match (&fault, content) {
        (Some(Fault::Status(status)), _) => head(to, &format!("{status} No\r\nContent-Length: 0")),
        (Some(Fault::Endless), _) => {
            head(to, "200 OK")?;
            loop {
                to.write_all(&[b'x'; 65536]).ok()?;
            }
        }
        (_, None) => head(to, "404 Not Found\r\nContent-Length: 0"),
        (_, Some(content)) => send(to, &request, content, fault.as_ref(), stall),
    }
}

fn send(
    to: &mut TcpStream,
    request: &Request,
    mut content: Vec<u8>,
    fault: Option<&Fault>,
    stall: &Sender<()>,
) -> Option<()> {
    match fault {
        Some(Fault::Flip(at)) => content[*at] ^= 1,
        Some(Fault::Instead(other)) => content.clone_from(other),
        _ => {}
    }
    let replaced = matches!(fault, Some(Fault::Replaced | Fault::ReplacedPart));
    let etag = if replaced { "\"second\"" } else { ETAG };
    let same = request.validator.as_deref().is_none_or(|validator| validator == etag)
        || matches!(fault, Some(Fault::ReplacedPart));
    let ranged = same && !matches!(fault, Some(Fault::NoRange));
    let total = content.len();
    let from = request.from.filter(|_| ranged);
    let (status, rest) = match from {
        Some(from) if from >= total => {
            return head(to, "416 Range Not Satisfiable\r\nContent-Length: 0");
        }
        Some(from) => {
            let range = format!("Content-Range: bytes {from}-{}/{total}", total - 1);
            (format!("206 Partial Content\r\n{range}"), &content[from..])
        }
        None => ("200 OK".to_owned(), &content[..]),
    };
    let length = if let Some(Fault::Says(length)) = fault { *length } else { rest.len() as u64 };
    head(to, &format!("{status}\r\nETag: {etag}\r\nContent-Length: {length}"))?;
    if request.method == "HEAD" {
        return Some(());
    }
    match fault {
        Some(Fault::Cut(after)) => to.write_all(&rest[..(*after).min(rest.len())]).ok(),
        Some(Fault::Stall(after)) => {
            to.write_all(&rest[..*after]).ok()?;
            stall.send(()).ok()?;
            // Until the client goes away.
            to.read(&mut [0]).ok().map(|_| ())
        }
        _ => to.write_all(rest).ok(),
    }
}

fn head(to: &mut TcpStream, rest: &str) -> Option<()> {
    to.write_all(format!("HTTP/1.1 {rest}\r\nConnection: close\r\n\r\n").as_bytes()).ok()
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request = Request { method, path, from: None, validator: None };
    for line in lines {
        let line = line.ok()?;
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("range") => {
                let from = value.strip_prefix("bytes=")?.strip_suffix('-')?;
                request.from = from.parse().ok();
            }
            Some((name, value)) if name.eq_ignore_ascii_case("if-range") => {
                request.validator = Some(value.to_owned());
            }
            Some(_) => {}
            None => break,
        }
    }
    Some(request)
}
