//! HTTP by hand: the exact bytes of an answer.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream};

use super::PATIENCE;
use super::lan::SERVER;

/// A connection to the appliance.
pub struct Connection {
    stream: TcpStream,
    /// Bytes behind the last answer.
    rest: Vec<u8>,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// 200
    pub status: u16,
    /// Status line and headers as they came, without the empty line.
    pub head: String,
    /// What followed.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value, by its exact spelling.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Names of the headers in order.
    pub fn names(&self) -> Vec<&str> {
        let lines = self.head.split("\r\n").skip(1);
        lines.map(|line| line.split(':').next().unwrap_or_default()).collect()
    }

    /// The head without its date, which changes.
    pub fn head_without_date(&self) -> String {
        let lines = self.head.split("\r\n").filter(|line| !line.starts_with("Date:"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Connection {
    /// Opens one in the namespace of the calling thread.
    pub fn open(port: u16) -> Connection {
        let to = SocketAddrV4::new(SERVER, port).into();
        let stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection { stream, rest: Vec::new() }
    }

    /// Sends bytes as they are. A server that has closed already is no error here.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Says that nothing more will be sent, and still listens.
    pub fn asks_no_more(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends a request without a body and reads the answer.
    #[track_caller]
    pub fn ask(&mut self, method: &str, target: &str, headers: &[&str]) -> Answer {
        self.request(method, target, headers);
        self.answer(method == "HEAD").unwrap_or_else(|| panic!("{method} {target}: no answer"))
    }

    /// Sends a request without a body.
    pub fn request(&mut self, method: &str, target: &str, headers: &[&str]) {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!("{method} {target} HTTP/1.1\r\nHost: {SERVER}\r\n{headers}\r\n");
        self.send(request.as_bytes());
    }

    /// The next answer; none if the server closed instead.
    pub fn answer(&mut self, only_head: bool) -> Option<Answer> {
        let end = loop {
            match self.rest.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end,
                None => self.read_more()?,
            }
        };
        let head = String::from_utf8(self.rest[..end].to_vec()).unwrap();
        self.rest.drain(..end + 4);
        let mut answer = Answer { status: 0, head, body: Vec::new() };
        answer.status = answer.head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = answer.header("Content-Length").map_or(0, |text| text.parse().unwrap());
        if !only_head {
            while self.rest.len() < length {
                self.read_more()?;
            }
            answer.body = self.rest.drain(..length).collect();
        }
        Some(answer)
    }

    /// Bytes that came and belong to no answer; waits for the server to close.
    pub fn rest(mut self) -> Vec<u8> {
        while self.read_more().is_some() {}
        self.rest
    }

    fn read_more(&mut self) -> Option<()> {
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => None,
            Ok(length) => {
                self.rest.extend(&buffer[..length]);
                Some(())
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("the server neither answers nor closes: {error}"),
        }
    }
}
