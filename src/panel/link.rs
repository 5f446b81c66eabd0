//! The line to `serve`: two threads, so that the LEDs never wait for it.
//!
//! One asks for the conditions twice a second; one carries what the button asked for and
//! repeats it until it is answered, so that no press is lost while `serve` is restarted.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, Builder};
use std::time::Duration;

use serde::Deserialize;

use super::client;
use super::pattern::State;
use crate::net::iface;

/// Four questions fit into [`super::health::PATIENCE`].
const POLL: Duration = Duration::from_millis(500);

/// With [`POLL`], the answer to every question that is answered in time comes within
/// [`super::health::PATIENCE`] of the one before.
const ANSWER_PATIENCE: Duration = Duration::from_millis(1400);

/// Between two attempts to hand over a press; a person waits for it.
const RETRY: Duration = Duration::from_millis(250);

/// Presses that wait while one is being handed over. More would change nothing: any one of
/// them makes a whole new scan.
const WAITING_WISHES: usize = 8;

/// Answers that wait for the loop; it takes them every 20 ms.
const WAITING_ANSWERS: usize = 8;

/// Plenty for a request and its answer; the panel promises to be small.
const STACK: usize = 256 * 1024;

/// What the button asks `serve` for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Read the sticks again.
    Rescan,
    /// Go on with the defaults, install nothing.
    SafeMode,
}

impl Wish {
    fn path(self) -> &'static str {
        match self {
            Wish::Rescan => "/rescan",
            Wish::SafeMode => "/safe-mode",
        }
    }
}

/// Both threads. They end with the process.
#[derive(Debug)]
pub struct Link {
    answers: Receiver<State>,
    wishes: SyncSender<Wish>,
}

impl Link {
    /// Starts asking at `socket`.
    pub fn start(socket: &Path) -> io::Result<Link> {
        let (to_loop, answers) = sync_channel(WAITING_ANSWERS);
        let (wishes, to_carry) = sync_channel(WAITING_WISHES);
        let path = socket.to_owned();
        Builder::new().name("ask".into()).stack_size(STACK).spawn(move || poll(&path, &to_loop))?;
        let path = socket.to_owned();
        Builder::new()
            .name("tell".into())
            .stack_size(STACK)
            .spawn(move || tell(path, &to_carry))?;
        Ok(Link { answers, wishes })
    }

    /// The newest answer since the last call. Never waits.
    pub fn answer(&self) -> Option<State> {
        self.answers.try_iter().last()
    }

    /// Carries `wish` to `serve`, however long that takes. Never waits.
    pub fn carry(&self, wish: Wish) {
        if self.wishes.try_send(wish) == Err(TrySendError::Disconnected(wish)) {
            log::error!("panel: the button's line to the servers has ended; restart the box");
        }
    }
}

fn poll(socket: &Path, to_loop: &SyncSender<State>) {
    let mut answering = false;
    loop {
        match conditions(socket) {
            Ok(state) => {
                answering = true;
                if let Err(TrySendError::Disconnected(_)) = to_loop.try_send(state) {
                    return;
                }
            }
            Err(reason) if answering => {
                answering = false;
                log::warn!("panel: {}: {reason}", socket.display());
            }
            Err(reason) => log::debug!("panel: {}: {reason}", socket.display()),
        }
        thread::sleep(POLL);
    }
}

/// Without an interface PID 1 does not start the servers, so their silence is no fault.
fn conditions(socket: &Path) -> Result<State, String> {
    match asked(socket) {
        Err(_) if iface::wired().is_empty() => Ok(State::NoLink),
        answer => answer,
    }
}

fn asked(socket: &Path) -> Result<State, String> {
    let answer = client::ask(socket, "GET", "/conditions", ANSWER_PATIENCE);
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status != 200 {
        return Err(format!("GET /conditions is answered by status {}", answer.status));
    }
    foremost(&answer.body)
}

/// A server that says nothing that we know has not said that all is well.
fn foremost(body: &[u8]) -> Result<State, String> {
    #[derive(Deserialize)]
    struct Body {
        conditions: Vec<String>,
    }
    let body: Body = serde_json::from_slice(body).map_err(|error| {
        format!("GET /conditions is answered by what is no JSON of ours: {error}")
    })?;
    let known = body.conditions.iter().filter_map(|name| State::named(name));
    State::foremost(known).ok_or_else(|| format!("no known condition in {:?}", body.conditions))
}

fn tell(socket: PathBuf, wishes: &Receiver<Wish>) {
    while let Ok(first) = wishes.recv() {
        let mut open = vec![first];
        while !open.is_empty() {
            // Presses that were made before the request goes out are answered by it.
            for wish in wishes.try_iter() {
                if !open.contains(&wish) {
                    open.push(wish);
                }
            }
            open.retain(|wish| !told(&socket, *wish));
            if !open.is_empty() {
                thread::sleep(RETRY);
            }
        }
    }
}

/// Whether there is nothing more to do for this wish.
fn told(socket: &Path, wish: Wish) -> bool {
    let path = wish.path();
    match client::ask(socket, "POST", path, ANSWER_PATIENCE).map(|answer| answer.status) {
        Ok(200..=299) => {
            log::info!("panel: button: POST {path} accepted");
            true
        }
        Ok(status @ 400..=499) => {
            log::error!("panel: button: POST {path} refused with status {status}");
            true
        }
        Ok(status) => {
            log::debug!("panel: button: POST {path}: status {status}, trying again");
            false
        }
        Err(error) => {
            log::debug!("panel: button: POST {path}: {error}, trying again");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::Socket;
    use super::*;
    use tiny_http::{Method, Response, Server};

    /// Serves until the `count`th request of `method`; returns their paths in order.
    fn requests(server: &Server, method: &Method, count: usize, statuses: &[u16]) -> Vec<String> {
        let mut seen = Vec::new();
        while seen.len() < count {
            let request = server.recv().unwrap();
            let mut status = 200;
            if request.method() == method {
                status = statuses.get(seen.len()).copied().unwrap_or(200);
                seen.push(request.url().to_owned());
            }
            let body = r#"{"conditions":["ready","installing"]}"#;
            request.respond(Response::from_string(body).with_status_code(status)).unwrap();
        }
        seen
    }

    #[test]
    fn the_most_important_known_condition_counts() {
        assert_eq!(foremost(br#"{"conditions":["ready","no-stick"]}"#), Ok(State::NoStick));
        assert_eq!(foremost(br#"{"conditions":["ready","on-fire"]}"#), Ok(State::Ready));
    }

    #[test]
    fn what_says_nothing_that_we_know_is_no_answer() {
        for body in ["", "[]", "{}", r#"{"conditions":[]}"#, r#"{"conditions":["on-fire"]}"#] {
            assert!(foremost(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn the_server_is_asked_again_and_again() {
        let socket = Socket::new("polled");
        let server = Server::http_unix(&socket.0).unwrap();
        let link = Link::start(&socket.0).unwrap();
        assert_eq!(requests(&server, &Method::Get, 2, &[]), ["/conditions", "/conditions"]);
        assert_eq!(link.answers.recv(), Ok(State::Installing));
    }

    #[test]
    fn a_press_is_repeated_until_it_is_answered() {
        let socket = Socket::new("repeated");
        let link = Link::start(&socket.0).unwrap();
        link.carry(Wish::Rescan);
        // Only now is there a server, and it is busy twice.
        let server = Server::http_unix(&socket.0).unwrap();
        assert_eq!(requests(&server, &Method::Post, 3, &[503, 500, 200]), ["/rescan"; 3]);
        link.carry(Wish::SafeMode);
        assert_eq!(requests(&server, &Method::Post, 1, &[]), ["/safe-mode"]);
    }

    #[test]
    fn a_press_while_one_is_being_answered_makes_one_more_request() {
        let socket = Socket::new("one-more");
        let server = Server::http_unix(&socket.0).unwrap();
        let link = Link::start(&socket.0).unwrap();
        link.carry(Wish::Rescan);
        let first = std::iter::repeat_with(|| server.recv().unwrap())
            .find(|request| request.method() == &Method::Post)
            .unwrap();
        link.carry(Wish::Rescan);
        link.carry(Wish::Rescan);
        first.respond(Response::empty(202)).unwrap();
        assert_eq!(requests(&server, &Method::Post, 1, &[]), ["/rescan"]);
    }

    #[test]
    fn a_refused_wish_does_not_block_the_next() {
        let socket = Socket::new("refused");
        let server = Server::http_unix(&socket.0).unwrap();
        let link = Link::start(&socket.0).unwrap();
        link.carry(Wish::SafeMode);
        assert_eq!(requests(&server, &Method::Post, 1, &[404]), ["/safe-mode"]);
        link.carry(Wish::Rescan);
        assert_eq!(requests(&server, &Method::Post, 1, &[]), ["/rescan"]);
    }
}
