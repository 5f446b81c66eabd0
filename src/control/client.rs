//! The other end of the control socket, for the commands `status`, `rescan` and `arm`.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A server that does not answer by then is not well.
const PATIENCE: Duration = Duration::from_secs(5);

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
pub fn ask(socket: &Path, method: &str, target: &str) -> Result<String, ClientError> {
    let answer = exchange(socket, method, target).map_err(|error| {
        let place = socket.display();
        ClientError::Socket(io::Error::new(error.kind(), format!("{place}: {error}")))
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let good = head.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
    if good { Ok(body.to_owned()) } else { Err(ClientError::Refused(message(body))) }
}

fn exchange(socket: &Path, method: &str, target: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {target} HTTP/1.0\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LARGEST_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}

fn message(body: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let told = parsed.as_ref().and_then(|value| value.get("error")?.as_str());
    told.unwrap_or("it did not work").to_owned()
}
