//! The API on the Unix socket.

use std::fs;
use std::io::{self, Cursor};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tiny_http::{Header, Request, Response, Server};

use super::api::{self, ApiAnswer, ApiRequest};
use crate::world::World;
use crate::world::media::Scanner;

/// Nothing here needs a body; what is larger is not read.
const LARGEST_BODY: usize = 64 * 1024;

/// tiny_http's listener ends for good at its first accept error; it is rebuilt after this.
const REBUILD_PAUSE: Duration = Duration::from_millis(500);

type Answer = Response<Cursor<Vec<u8>>>;

/// Serves on what [`listen`] has opened, until the process ends. Without it the machines are
/// served all the same.
pub fn run(world: &Arc<World>, scanner: &Scanner, opened: io::Result<UnixListener>) {
    let told = |error| log::error!("control: {}: {error}", world.config.control.display());
    let listener = match opened {
        Ok(listener) => listener,
        Err(error) => return told(error),
    };
    loop {
        if let Err(error) = serve_once(world, scanner, &listener) {
            told(error);
        }
        std::thread::sleep(REBUILD_PAUSE);
    }
}

fn serve_once(world: &Arc<World>, scanner: &Scanner, listener: &UnixListener) -> io::Result<()> {
    let listener = listener.try_clone()?;
    let server = Server::from_listener(listener, None).map_err(io::Error::other)?;
    loop {
        let request = server.recv()?;
        let answer = answer(world, scanner, &request);
        // The other side went away: its loss.
        let _ = request.respond(answer);
    }
}

/// A socket that only root can open; one that a former process left is replaced. It is opened
/// before the servers give up the right to.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn answer(world: &World, scanner: &Scanner, request: &Request) -> Answer {
    if request.body_length().unwrap_or(0) > LARGEST_BODY {
        return response(api::error(413, "too large"));
    }
    let url = request.url();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let method = request.method().as_str();
    response(api::answer(world, scanner, &ApiRequest { method, path, query, body: &[] }))
}

fn response(answer: ApiAnswer) -> Answer {
    let header = |name: &str, value: &str| Header::from_bytes(name, value).ok();
    let mut response = Response::from_data(answer.body).with_status_code(answer.code);
    for header in [
        header("Content-Type", answer.content_type),
        answer.allow.and_then(|methods| header("Allow", methods)),
    ]
    .into_iter()
    .flatten()
    {
        response.add_header(header);
    }
    response.with_chunked_threshold(usize::MAX)
}
