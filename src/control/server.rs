//! The API on the Unix socket, served by tiny_http behind a door of our own ([`edge`]).

use std::fs;
use std::io::{self, Cursor};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future;
use tiny_http::{Header, Request, Response, Server};

use super::api::{self, ApiAnswer, ApiRequest};
use super::edge;
use crate::world::World;
use crate::world::media::Scanner;

/// A request that asks for changes is answered after this, whether there is one or not.
const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// So many may wait for a change at once: places are left for who wants to know something.
const MOST_WAITING: usize = 8;

/// tiny_http's listener ends for good at its first accept error; it is rebuilt after this.
const REBUILD_PAUSE: Duration = Duration::from_millis(500);

/// Of the threads that answer; a plan with its scripts is on the heap.
const STACK: usize = 512 * 1024;

type Answer = Response<Cursor<Vec<u8>>>;

/// The two listeners: where everybody asks, and where tiny_http is asked by the edge alone.
#[derive(Debug)]
pub struct Doors {
    outer: UnixListener,
    inner: UnixListener,
    inner_path: PathBuf,
}

/// Serves on what [`listen`] has opened, until the process ends. Without it the machines are
/// served all the same.
pub fn run(world: &Arc<World>, scanner: &Scanner, opened: io::Result<Doors>) {
    let told = |error| log::error!("control: {}: {error}", world.config.control.display());
    let doors = match opened {
        Ok(doors) => doors,
        Err(error) => return told(error),
    };
    let (outer, inner_path) = (doors.outer, doors.inner_path);
    let at_the_door = thread::Builder::new()
        .name("control-door".to_owned())
        .spawn(move || edge::run(&outer, &inner_path));
    if let Err(error) = at_the_door {
        return told(error);
    }
    let waiting = Arc::new(AtomicUsize::new(0));
    loop {
        if let Err(error) = serve_once(world, scanner, &waiting, &doors.inner) {
            told(error);
        }
        thread::sleep(REBUILD_PAUSE);
    }
}

/// The edge lets in so many at once that each can have a thread: a card that is slow to write
/// one machine's life down keeps nobody else from his answer.
fn serve_once(
    world: &Arc<World>,
    scanner: &Scanner,
    waiting: &Arc<AtomicUsize>,
    listener: &UnixListener,
) -> io::Result<()> {
    let server = Server::from_listener(listener.try_clone()?, None).map_err(io::Error::other)?;
    loop {
        let request = server.recv()?;
        let (world, scanner) = (Arc::clone(world), scanner.clone());
        let waiting = Arc::clone(waiting);
        let answers = move || {
            let answer = answer(&world, &scanner, &waiting, &request);
            // The other side went away: its loss.
            let _ = request.respond(answer);
        };
        // Without a thread the request is dropped, which answers it with an error.
        if let Err(error) = thread::Builder::new().stack_size(STACK).spawn(answers) {
            log::warn!("control: no thread for an answer: {error}");
        }
    }
}

/// Sockets that only root can open; those that a former process left are replaced. They are
/// opened before the servers give up the right to. `user`: who they will be then.
pub fn listen(path: &Path, user: Option<u32>) -> io::Result<Doors> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let inner_path = edge::inner(path);
    let inner = bind(&inner_path)?;
    if user.is_some() {
        chown(&inner_path, user, user)?;
    }
    Ok(Doors { outer: bind(path)?, inner, inner_path })
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn answer(world: &World, scanner: &Scanner, waiting: &AtomicUsize, request: &Request) -> Answer {
    let url = request.url();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let method = request.method().as_str();
    let request = ApiRequest { method, path, query, body: &[] };
    if let Some(known) = api::waits_for(&request) {
        if waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return response(api::error(429, "too many wait for a change already"));
        }
        wait(world, known);
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
    response(api::answer(world, scanner, &request))
}

/// Until there is another revision, or it has lasted long enough.
fn wait(world: &World, known: u64) {
    let mut changes = world.watch_changes();
    let changed = async {
        // The world outlives who waits for it.
        let _ = changes.wait_for(|revision| *revision != known).await;
    };
    let late = async {
        Timer::after(LONGEST_WAIT).await;
    };
    // Its own block_on would drive the reactor that TFTP's workers wait in.
    future::block_on(future::or(changed, late));
}

fn response(answer: ApiAnswer) -> Answer {
    let header = |name: &str, value: &str| Header::from_bytes(name, value).ok();
    let mut response = Response::from_data(answer.body).with_status_code(answer.code);
    let kind = header("Content-Type", answer.content_type);
    let allow = answer.allow.and_then(|methods| header("Allow", methods));
    for header in kind.into_iter().chain(allow) {
        response.add_header(header);
    }
    response.with_chunked_threshold(usize::MAX)
}
