//! An HTTP client that reads what it gets and throws it away.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::{Result, address, failed};

/// As large as a fast client's own.
const BUFFER: usize = 256 * 1024;

/// For a server that says nothing at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many streams fetch the same file, each anew when it has it, for so long.
pub fn load(server: SocketAddrV4, path: &str, streams: u32, time: Duration) -> Result<String> {
    let begin = Instant::now();
    let deadline = begin + time;
    let stream = |number: u32| -> Result<(u64, u64)> {
        let (mut bytes, mut files) = (0, 0);
        while Instant::now() < deadline {
            let file = get(address(number), server, path, Some(deadline))?;
            bytes += file.bytes;
            files += u64::from(file.whole);
        }
        Ok((bytes, files))
    };
    let got = thread::scope(|scope| {
        let stream = &stream;
        let running: Vec<_> =
            (0..streams).map(|number| scope.spawn(move || stream(number))).collect();
        let joined = running.into_iter().map(|one| one.join().map_err(|_| "a fault".to_owned())?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let bytes: u64 = got.iter().map(|(bytes, _)| bytes).sum();
    let files: u64 = got.iter().map(|(_, files)| files).sum();
    Ok(format!("bytes={bytes} files={files} seconds={seconds:.3}"))
}

/// What came of a request.
pub struct Got {
    /// Bytes of the body.
    pub bytes: u64,
    /// All that were announced.
    pub whole: bool,
    /// The first of them, as far as they fit into one buffer.
    pub begin: Vec<u8>,
}

/// One file over a connection of its own; what is not there by the deadline is left.
pub fn get(
    own: Ipv4Addr,
    server: SocketAddrV4,
    path: &str,
    deadline: Option<Instant>,
) -> Result<Got> {
    let mut stream = connect(own, server).map_err(failed("connecting"))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed("asking"))?;
    let mut buffer = vec![0; BUFFER];
    let mut read = 0;
    let (head, length) = loop {
        let room = buffer.get_mut(read..).unwrap_or_default();
        match stream.read(room).map_err(failed("the head"))? {
            0 => return Err(format!("{path}: the connection ended within the head")),
            more => read += more,
        }
        if let Some(found) = head(buffer.get(..read).unwrap_or_default(), path)? {
            break found;
        }
    };
    let begin = buffer.get(head..read).unwrap_or_default().to_vec();
    let mut bytes = begin.len() as u64;
    while bytes < length && deadline.is_none_or(|deadline| Instant::now() < deadline) {
        match stream.read(&mut buffer) {
            Ok(0) => return Err(format!("{path} ended after {bytes} of {length} bytes")),
            Ok(more) => bytes += more as u64,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("{path} failed after {bytes} bytes: {error}")),
        }
    }
    Ok(Got { bytes, whole: bytes == length, begin })
}

fn connect(own: Ipv4Addr, server: SocketAddrV4) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddrV4::new(own, 0).into())?;
    socket.connect_timeout(&server.into(), PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(TcpStream::from(socket))
}

/// The length of a head that is whole, and the length that it announces.
fn head(bytes: &[u8], path: &str) -> Result<Option<(usize, u64)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    if !text.starts_with("HTTP/1.1 200 ") {
        return Err(format!("{path}: {}", text.lines().next().unwrap_or_default()));
    }
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let length = length.ok_or_else(|| format!("{path}: its head announces no length"))?;
    Ok(Some((end + 4, length)))
}
