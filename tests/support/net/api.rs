//! The appliance's control socket, without anybody else's HTTP.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::PATIENCE;

/// The socket of every appliance here.
pub const SOCKET: &str = "/run/box/control.sock";

/// A connection on which nothing was said yet.
pub fn connect() -> UnixStream {
    let stream = UnixStream::connect(SOCKET).unwrap();
    stream.set_read_timeout(Some(PATIENCE * 3)).unwrap();
    stream
}

/// Sends bytes: the code of the answer and its body; code 0 if there is none.
pub fn send(bytes: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = connect();
    // It may refuse before it has read everything.
    let _ = stream.write_all(bytes);
    answer(stream)
}

/// What comes until the connection ends.
pub fn answer(mut stream: UnixStream) -> (u16, Vec<u8>) {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(end) = end else {
        return (0, answer);
    };
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, answer.split_off(end + 4))
}

/// One request: the code, and the JSON of the answer.
#[track_caller]
pub fn ask(method: &str, target: &str) -> (u16, Value) {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: box\r\n\r\n");
    let (code, body) = send(request.as_bytes());
    let text = || String::from_utf8_lossy(&body).into_owned();
    let json = serde_json::from_slice(&body);
    (code, json.unwrap_or_else(|error| panic!("{method} {target}: {code}: {error}: {}", text())))
}

/// What is read there; it is there.
#[track_caller]
pub fn get(target: &str) -> Value {
    let (code, value) = ask("GET", target);
    assert_eq!(code, 200, "{target}: {value}");
    value
}

/// Does something: the code, and why not.
#[track_caller]
pub fn post(target: &str) -> (u16, String) {
    let (code, value) = ask("POST", target);
    (code, value["error"].as_str().unwrap_or_default().to_owned())
}
