//! The API on the Unix socket: status, re-scan, arm.

use std::fs;
use std::io::{self, Cursor};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tiny_http::{Method, Request, Response, Server};

use super::status::{conditions, status};
use crate::fleet::life::Event;
use crate::net::Mac;
use crate::world::media::Scanner;
use crate::world::{SAFE_MODE, World};

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
        return error(413, "too large");
    }
    let url = request.url();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    match (request.method(), path) {
        (Method::Get, "/status") => json(200, &status(world)),
        (Method::Get, "/conditions") => {
            json(200, &serde_json::json!({ "conditions": conditions(world) }))
        }
        (Method::Post, "/rescan") => {
            scanner.request();
            json(202, &serde_json::json!({ "ok": true }))
        }
        (Method::Post, "/arm") => arm(world, query),
        (Method::Post, "/safe-mode") => safe_mode(world),
        (_, "/status" | "/conditions" | "/rescan" | "/arm" | "/safe-mode") => {
            error(405, "wrong method")
        }
        _ => error(404, "there is nothing of this name"),
    }
}

fn safe_mode(world: &World) -> Answer {
    world.enter_safe_mode();
    match fs::write(SAFE_MODE, "") {
        Ok(()) => json(200, &serde_json::json!({ "ok": true })),
        Err(cause) => error(500, &format!("{SAFE_MODE}: {cause}")),
    }
}

fn arm(world: &World, query: &str) -> Answer {
    let mac = query.strip_prefix("mac=").map(str::parse::<Mac>);
    let Some(Ok(mac)) = mac else {
        return error(400, "write it like /arm?mac=00:25:90:c0:f7:86");
    };
    match world.happened(mac, Event::Arm) {
        Some(_) => json(200, &serde_json::json!({ "ok": true })),
        None => error(
            409,
            "this machine cannot be armed: the stick does not name it, or nothing can be \
             remembered (see the log)",
        ),
    }
}

fn error(code: u16, message: &str) -> Answer {
    json(code, &serde_json::json!({ "error": message }))
}

fn json(code: u16, value: &impl serde::Serialize) -> Answer {
    // Our own types: they always are JSON.
    let text = serde_json::to_vec(value).unwrap_or_default();
    Response::from_data(text).with_status_code(code).with_chunked_threshold(usize::MAX)
}
