//! Bodies: bytes in memory, or a part of a file that never comes into our memory.
//!
//! The kernel sends files by itself (sendfile(2)). The HTTP library is handed a stand-in of
//! the same length, and where that would be written, [`Wire`] has the file's bytes sent.
//!
//! [`Wire`]: super::wire::Wire

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use bytes::{Buf, Bytes};
use tokio::sync::oneshot::Receiver;

use super::sending::Sending;
use super::socket::Socket;
use super::story::Story;
use crate::inventory::media_file::Window;
use crate::world::readers::Readers;
use crate::world::transfers::{Transfer, WhenSent};
use crate::world::turns::Errand;

/// The most that stands in at once.
const LARGEST_STAND_IN: usize = 4 * 1024 * 1024;

/// The library takes an answer for done when it was handed the last byte, and its deadline for
/// the next request begins: so it is handed that one when the others are out. Where there is
/// room it leaves with them.
const HELD_BACK: usize = 1;

/// The body of an answer.
pub enum Body {
    /// Nothing (or HEAD: the length stands in the header).
    Empty,
    /// In memory.
    Bytes(Bytes),
    /// A part of a file.
    File(Box<Outgoing>),
}

/// A part of a file, and how much of it is left to be sent.
pub struct Outgoing {
    file: Arc<Window>,
    at: u64,
    left: u64,
    errand: Errand,
    readers: Readers,
    /// Called by the reader that sends all but the last byte: the card may be slow.
    when_sent: Option<Arc<Mutex<Option<WhenSent>>>>,
    /// Where it is told how it ended.
    story: Option<Story>,
    /// For people and LEDs.
    shown: Option<Transfer>,
    /// Given back when it is out, or its connection has ended.
    held: Vec<Box<dyn Send>>,
}

impl Outgoing {
    /// `length` bytes of a file from `first` on. A file that became shorter ends the
    /// connection with an error: a download that looks whole is whole.
    pub fn new(
        file: Window,
        (first, length): (u64, u64),
        errand: Errand,
        readers: Readers,
    ) -> Self {
        Outgoing {
            file: Arc::new(file),
            at: first,
            left: length,
            errand,
            readers,
            when_sent: None,
            story: None,
            shown: None,
            held: Vec::new(),
        }
    }

    /// How much is left.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Tells when all but its last byte is out.
    pub fn telling(mut self, when_sent: Option<WhenSent>) -> Self {
        self.when_sent = when_sent.map(|tell| Arc::new(Mutex::new(Some(tell))));
        // Of an empty one it is out.
        if self.left <= HELD_BACK as u64 {
            tell(self.when_sent.take().as_deref());
        }
        self
    }

    /// Tells how far it came when it is out, or its connection has ended.
    pub fn told_in(mut self, story: Option<Story>) -> Self {
        self.story = story;
        self
    }

    /// Shows how far it is.
    pub fn showing(mut self, transfer: Transfer) -> Self {
        self.shown = Some(transfer);
        self
    }

    /// Keeps this until it is out.
    pub fn holding(mut self, what: Option<Transfer>) -> Self {
        if let Some(what) = what {
            self.hold(what);
        }
        self
    }

    fn hold(&mut self, what: impl Send + 'static) {
        self.held.push(Box::new(what));
    }

    /// Readers send what the socket takes, in one turn or in many, without what is held back.
    /// Nothing at all is an error of kind "would block".
    fn send<S: Socket>(&self, socket: &Arc<S>) -> Receiver<io::Result<usize>> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let length = match self.when_sent {
            // Who has the last byte may come back at once, and then this must be known.
            Some(_) => left.saturating_sub(HELD_BACK),
            None => left,
        };
        let mut sending = Sending::new(Arc::clone(&self.file), self.at, length, Arc::clone(socket));
        let (when_sent, left) = (self.when_sent.clone(), self.left);
        self.readers.read_in_turns(&self.errand, move || {
            let sent = sending.turn(Instant::now)?;
            if let Ok(count) = sent
                && left.saturating_sub(count as u64) <= HELD_BACK as u64
            {
                tell(when_sent.as_deref());
            }
            Some(sent)
        })
    }

    fn sent(&mut self, count: usize) {
        self.at += count as u64;
        self.left = self.left.saturating_sub(count as u64);
        if let Some(shown) = &self.shown {
            shown.sent(count as u64);
        }
        if let Some(story) = &mut self.story {
            story.goes_on(self.left);
        }
        // It was told of by whoever sent it.
        self.when_sent.take_if(|_| self.left <= HELD_BACK as u64);
    }
}

fn tell(when_sent: Option<&Mutex<Option<WhenSent>>>) {
    let waits = when_sent.map(|waits| waits.lock().unwrap_or_else(PoisonError::into_inner).take());
    if let Some(tell) = waits.flatten() {
        tell();
    }
}

/// The files of a connection that are on their way, in the order of their answers.
#[derive(Clone, Default)]
pub struct Outbox(Arc<Mutex<VecDeque<Box<Outgoing>>>>);

impl Outbox {
    /// Takes a file, and `what` is kept until it is out. What the HTTP library gets for it
    /// first, and when that is out.
    pub fn put(&self, mut file: Box<Outgoing>, what: impl Send + 'static) -> (Data, Data) {
        let left = usize::try_from(file.left).unwrap_or(usize::MAX);
        file.hold(what);
        if left > 0 {
            self.files().push_back(file);
        }
        let last = if left > HELD_BACK { HELD_BACK } else { 0 };
        (Data::StandIn(left - last), Data::StandIn(last))
    }

    /// Has as much of the first file sent as the socket takes. None: there is no such file.
    pub fn send<S: Socket>(&self, socket: &Arc<S>) -> Option<Receiver<io::Result<usize>>> {
        self.files().front().map(|file| file.send(socket))
    }

    /// So many bytes of the first file were sent.
    pub fn sent(&self, count: usize) {
        let mut files = self.files();
        let Some(first) = files.front_mut() else {
            return;
        };
        first.sent(count);
        let done = if first.left == 0 { files.pop_front() } else { None };
        drop(files);
        // What it held may be somebody's place: not under our lock.
        drop(done);
    }

    /// The first file goes no further.
    pub fn failed(&self, error: &io::Error) {
        if !is_the_sockets(error)
            && let Some(story) = self.files().front_mut().and_then(|file| file.story.as_mut())
        {
            story.is_unreadable();
        }
    }

    fn files(&self) -> MutexGuard<'_, VecDeque<Box<Outgoing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The peer went, or its network: sendfile(2) has one error for both of its ends.
fn is_the_sockets(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::BrokenPipe
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::NotConnected
            | Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
    )
}

/// What the HTTP library writes.
pub enum Data {
    /// As it is.
    Bytes(Bytes),
    /// So many bytes of a file.
    StandIn(usize),
}

impl Buf for Data {
    fn remaining(&self) -> usize {
        match self {
            Data::Bytes(bytes) => bytes.remaining(),
            Data::StandIn(left) => *left,
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Data::Bytes(bytes) => bytes.chunk(),
            Data::StandIn(left) => stand_in().get(..*left).unwrap_or_else(stand_in),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Data::Bytes(bytes) => bytes.advance(count),
            Data::StandIn(left) => *left = left.saturating_sub(count),
        }
    }
}

/// Whether this is no content, but the place of a file's.
pub fn is_stand_in(bytes: &[u8]) -> bool {
    !bytes.is_empty() && stand_in().as_ptr_range().contains(&bytes.as_ptr())
}

/// Never read nor written, so it takes no memory.
fn stand_in() -> &'static [u8] {
    static STAND_IN: OnceLock<Vec<u8>> = OnceLock::new();
    STAND_IN.get_or_init(|| vec![0; LARGEST_STAND_IN])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_goes_is_told_apart_from_a_stick_that_cannot_be_read() {
        use rustix::io::Errno;
        for errno in [Errno::PIPE, Errno::CONNRESET, Errno::TIMEDOUT, Errno::HOSTUNREACH] {
            assert!(is_the_sockets(&errno.into()), "{errno}");
        }
        for errno in [Errno::IO, Errno::NODEV, Errno::NXIO, Errno::STALE] {
            assert!(!is_the_sockets(&errno.into()), "{errno}");
        }
        assert!(!is_the_sockets(&io::ErrorKind::UnexpectedEof.into()), "it became shorter");
    }

    #[test]
    fn a_stand_in_is_as_long_as_the_file_and_is_known_by_its_place_alone() {
        let mut data = Data::StandIn(3 * LARGEST_STAND_IN + 7);
        let mut seen = 0;
        while data.has_remaining() {
            assert!(is_stand_in(data.chunk()));
            seen += data.chunk().len();
            data.advance(data.chunk().len());
        }
        assert_eq!(seen, 3 * LARGEST_STAND_IN + 7);
        assert!(is_stand_in(&Data::StandIn(9).chunk()[8..]));
        for bytes in [&vec![0; LARGEST_STAND_IN][..], b"", &stand_in()[..0]] {
            assert!(!is_stand_in(bytes));
        }
    }
}
