//! A file on its way by TFTP, as the library reads it: one block after the other, the next
//! ones while the client acknowledges those before.

use std::future::Future;
use std::io::{self, Read};
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::AsyncRead;
use tokio::sync::oneshot::Receiver;

use super::door::Door;
use crate::fleet::timeline;
use crate::inventory::MediaFile;
use crate::inventory::media_file::Window;
use crate::net::Mac;
use crate::world::World;
use crate::world::readers::Readers;
use crate::world::stories::{End, Transferred};
use crate::world::transfers::{Transfer, Transfers, WhenSent};
use crate::world::turns::Errand;

/// Before the first acknowledgement no more is read: it may never come.
const FIRST_PIECE: usize = 2 * 1024;

/// A client that takes its blocks gets larger pieces, as a stick likes them.
const LARGEST_PIECE: usize = 64 * 1024;

/// Every client holds two pieces. With more than sixteen of them the pieces are smaller:
/// together twice this much. A room that is switched on reads the same loaders, which come from
/// the page cache, so small ones cost little there.
const PIECES_TOGETHER: usize = 1024 * 1024;

/// A stick that brings nothing for so long hangs: the client is told, and may have others try.
const STICK_DEADLINE: Duration = Duration::from_secs(10);

/// So often its place hears that a transfer moves, and not with each block: all transfers share
/// that lock. Nobody loses a place that was heard of within a second.
const HEARD_EVERY: Duration = Duration::from_millis(100);

/// A file on its way. Its client's place is free when it is dropped.
pub struct Download {
    door: Arc<Door>,
    peer: SocketAddrV4,
    heard: Option<Instant>,
    source: Source,
    story: Option<Story>,
    size: u64,
    left: u64,
    begun: bool,
    acknowledged: bool,
    unreadable: bool,
    shown: Option<Transfer>,
    when_sent: Option<WhenSent>,
}

/// Whose timeline it is told in, and under which name.
pub struct Story {
    mac: Mac,
    path: String,
}

impl Story {
    /// From its beginning.
    pub fn begins(world: &World, mac: Mac, path: &str) -> Story {
        world.transfer_begins(mac);
        Story { mac, path: path.to_owned() }
    }
}

/// Where the bytes come from.
pub enum Source {
    /// Memory.
    Bytes(io::Cursor<Vec<u8>>),
    /// A stick.
    File(Box<Ahead>),
}

impl Download {
    /// So many bytes of `source` for `peer`.
    pub fn new(
        door: &Arc<Door>,
        peer: SocketAddrV4,
        (source, size): (Source, u64),
        when_sent: Option<WhenSent>,
        story: Option<Story>,
    ) -> Download {
        Download {
            door: Arc::clone(door),
            peer,
            heard: None,
            source,
            story,
            size,
            left: size,
            begun: false,
            acknowledged: false,
            unreadable: false,
            shown: None,
            when_sent,
        }
    }

    /// Whether it has a place, and need not wait for one.
    fn goes_on(&mut self, now: Instant, context: &Context<'_>) -> bool {
        if self.heard.is_none_or(|heard| now >= heard + HEARD_EVERY) {
            let holds = self.door.places().go_on(self.peer, now, context.waker());
            self.heard = holds.then_some(now);
        }
        self.heard.is_some()
    }

    fn end(&self) -> End {
        match (self.unreadable, self.left) {
            (true, _) => End::Stick,
            (false, 0) => End::Whole,
            // EDK2's question for the size, or somebody who went at once.
            _ if !self.acknowledged => End::Looked,
            _ => End::Machine,
        }
    }
}

impl AsyncRead for Download {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.left == 0 || buffer.is_empty() {
            this.door.places().has_all(this.peer);
            this.shown = None;
            return Poll::Ready(Ok(0));
        }
        // The library asks for a second block when the first packet was acknowledged.
        if this.begun {
            if !this.goes_on(Instant::now(), context) {
                return Poll::Pending;
            }
            this.acknowledged = true;
            let transfers = &this.door.world().transfers;
            this.shown.get_or_insert_with(|| match &this.source {
                Source::Bytes(_) => transfers.begin(),
                Source::File(ahead) => {
                    let sent = this.size - this.left;
                    transfers.begin_file(*this.peer.ip(), &ahead.file.path, sent, this.size)
                }
            });
        }
        let count = match &mut this.source {
            Source::Bytes(bytes) => bytes.read(buffer),
            Source::File(file) => ready!(file.poll_read(context, buffer, this.begun)),
        };
        let count = count.inspect_err(|_| this.unreadable = true)?;
        if count == 0 {
            this.unreadable = true;
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        let counters = &this.door.world().counters;
        if !this.begun {
            counters.tftp_file();
        }
        counters.tftp_sent(count);
        this.begun = true;
        this.left = this.left.saturating_sub(count as u64);
        if let Some(shown) = &this.shown {
            shown.sent(count as u64);
        }
        // The last window is on its way; what does not arrive is sent again.
        if this.left == 0
            && let Some(tell) = this.when_sent.take()
        {
            tell();
        }
        Poll::Ready(Ok(count))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.door.leave(self.peer);
        if let Some(story) = &self.story {
            let file = Transferred {
                source: timeline::Source::Tftp,
                path: &story.path,
                wanted: (0, self.size),
                sent: self.size - self.left,
                size: self.size,
            };
            self.door.world().transfer_ended(story.mac, &file, self.end());
        }
    }
}

/// What a reader brings: the open file, for the next piece, and this one.
type Piece = io::Result<(Arc<Window>, Vec<u8>)>;

/// A file of a stick, read ahead by one piece.
pub struct Ahead {
    file: MediaFile,
    open: Option<Arc<Window>>,
    errand: Errand,
    readers: Readers,
    running: Transfers,
    /// Where the next piece begins.
    at: u64,
    piece: usize,
    here: io::Cursor<Vec<u8>>,
    /// The piece before, for the next one: a new one would be filled with zeros first.
    spare: Vec<u8>,
    coming: Option<Receiver<Piece>>,
    /// Since its client waits for that.
    hangs: Option<Timer>,
    deadline: Duration,
}

impl Ahead {
    /// Nothing is opened before the first block is wanted.
    pub fn new(world: &World, file: MediaFile, peer: SocketAddrV4) -> Ahead {
        Ahead {
            errand: Errand::new(&file.volume, *peer.ip(), file.size),
            file,
            open: None,
            readers: world.readers.clone(),
            running: world.transfers.clone(),
            at: 0,
            piece: FIRST_PIECE,
            here: io::Cursor::default(),
            spare: Vec::new(),
            coming: None,
            hangs: None,
            deadline: STICK_DEADLINE,
        }
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        acknowledged: bool,
    ) -> Poll<io::Result<usize>> {
        if self.is_used_up() {
            self.fetch();
            if let Some(coming) = &mut self.coming {
                let Poll::Ready(piece) = Pin::new(coming).poll(context) else {
                    let deadline = self.deadline;
                    let hangs = self.hangs.get_or_insert_with(|| Timer::after(deadline));
                    ready!(Pin::new(hangs).poll(context));
                    log::warn!("tftp: {}: the stick does not answer", self.file.path);
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                };
                (self.coming, self.hangs) = (None, None);
                let (open, bytes) = piece.unwrap_or_else(|lost| Err(io::Error::other(lost)))?;
                // Nor is the file held open.
                self.open = acknowledged.then_some(open);
                self.at += bytes.len() as u64;
                self.spare = std::mem::replace(&mut self.here, io::Cursor::new(bytes)).into_inner();
            }
        }
        if acknowledged {
            self.fetch();
        }
        Poll::Ready(self.here.read(buffer))
    }

    fn is_used_up(&self) -> bool {
        self.here.position() >= self.here.get_ref().len() as u64
    }

    /// Sends for the next piece, unless it is coming or there is none.
    fn fetch(&mut self) {
        let left = self.file.size.saturating_sub(self.at);
        let length = usize::try_from(left).unwrap_or(self.piece).min(self.piece);
        if self.coming.is_some() || length == 0 {
            return;
        }
        self.piece = (self.piece * 2).min(largest_piece(self.running.count()));
        let (file, open, at) = (self.file.clone(), self.open.clone(), self.at);
        let mut bytes = std::mem::take(&mut self.spare);
        // In a crowd they become smaller.
        if bytes.capacity() > length {
            bytes = Vec::new();
        }
        self.coming = Some(self.readers.read(&self.errand, move || {
            bytes.resize(length, 0);
            read(&file, open, at, bytes).inspect_err(|error| {
                log::warn!("tftp: {}: cannot be read: {error}; was the stick pulled?", file.path);
            })
        }));
    }
}

/// The largest piece while so many transfers run: a power of two, so that it does not change
/// with each of them.
fn largest_piece(running: usize) -> usize {
    let share = PIECES_TOGETHER / running.max(1);
    1 << share.clamp(FIRST_PIECE, LARGEST_PIECE).ilog2()
}

fn read(file: &MediaFile, open: Option<Arc<Window>>, at: u64, mut bytes: Vec<u8>) -> Piece {
    let open = match open {
        Some(open) => open,
        None => Arc::new(file.open()?),
    };
    open.read_exact_at(&mut bytes, at)?;
    Ok((open, bytes))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::Ipv4Addr;
    use std::path::Path;
    use std::sync::{Mutex, mpsc};

    use super::*;

    #[test]
    fn a_stick_that_hangs_ends_the_transfer_and_not_the_wait() {
        let readers = Readers::default();
        let volume: Arc<Path> = Path::new("/media/dead").into();
        let asker = Ipv4Addr::LOCALHOST;
        let (let_go, hang) = mpsc::channel::<()>();
        let hang = Arc::new(Mutex::new(hang));
        let errand = Errand { volume: Arc::clone(&volume), asker, download: false };
        // As many as read from one stick.
        for _ in 0..3 {
            let hang = Arc::clone(&hang);
            let waits = move || {
                let _ = hang.lock().unwrap().recv();
            };
            assert!(readers.run(&errand, waits));
        }
        let mut ahead = Ahead {
            file: MediaFile {
                volume,
                path: "pxelinux.0".to_owned(),
                size: 100,
                modified: 0,
                inside: None,
            },
            open: None,
            errand,
            readers,
            running: Transfers::default(),
            at: 0,
            piece: FIRST_PIECE,
            here: io::Cursor::default(),
            spare: Vec::new(),
            coming: None,
            hangs: None,
            deadline: Duration::from_millis(20),
        };
        let mut buffer = [0; 512];
        let read =
            async_io::block_on(poll_fn(|context| ahead.poll_read(context, &mut buffer, false)));
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(let_go);
    }

    #[test]
    fn one_client_is_read_for_in_large_pieces_and_many_take_no_more_memory() {
        assert_eq!(largest_piece(0), LARGEST_PIECE);
        assert_eq!(largest_piece(16), LARGEST_PIECE);
        assert_eq!(largest_piece(100), largest_piece(128));
        for running in [17, 33, 128, 500] {
            let together = 2 * running * largest_piece(running);
            assert!(together <= 2 * PIECES_TOGETHER, "{running}: {together}");
        }
    }
}
