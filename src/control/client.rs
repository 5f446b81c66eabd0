//! The other end of the control socket, for the commands that ask a running server.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A server that does not answer by then is not well.
const PATIENCE: Duration = Duration::from_secs(5);

/// Nothing has to change for so long; then the server says that nothing has.
const CHANGES: Duration = Duration::from_secs(35);

/// 2,000 machines make a status of a few hundred kilobytes.
const LARGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// Why there is no answer, in one line.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody listens, or it went away.
    Socket(io::Error),
    /// It said no.
    Refused(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Socket(error) => {
                write!(f, "{error}; is `pxeberry serve` running here, and are you root?")
            }
            ClientError::Refused(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for ClientError {}

/// Sends `METHOD target` and returns the body of the answer.
pub fn ask(socket: &Path, method: &str, target: &str) -> Result<Vec<u8>, ClientError> {
    let mut answer = exchange(socket, method, target).map_err(|error| {
        let place = socket.display();
        ClientError::Socket(io::Error::new(error.kind(), format!("{place}: {error}")))
    })?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let body = answer.split_off(end.map_or(answer.len(), |end| end + 4));
    let head = String::from_utf8_lossy(&answer);
    let good = head.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
    if good { Ok(body) } else { Err(ClientError::Refused(message(&body))) }
}

fn exchange(socket: &Path, method: &str, target: &str) -> io::Result<Vec<u8>> {
    let patience = if target.starts_with("/v1/changes") { CHANGES } else { PATIENCE };
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {target} HTTP/1.0\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LARGEST_ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}

fn message(body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let told = parsed.as_ref().and_then(|value| value.get("error")?.as_str());
    told.unwrap_or("it did not work").to_owned()
}
