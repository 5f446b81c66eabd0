//! The TFTP server: async-tftp with limits, on a thread of its own.
//!
//! Its defaults are unsafe on a LAN: one client could make it hold 300 MB, and each client
//! that vanishes costs five minutes of retries.

use std::future::Future;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_tftp::packet::Error;
use async_tftp::server::{Handler, TftpServerBuilder};
use futures_lite::{AsyncRead, io::Sink};

use super::tree::Name;
use crate::inventory::MediaFile;
use crate::inventory::media_file::Window;
use crate::verify::Gate;
use crate::world::World;
use crate::world::content::{Content, content};
use crate::world::transfers::{Transfer, Transfers};

/// Ethernet's MTU less IP, UDP and TFTP headers: larger blocks are fragmented, and lost.
const LARGEST_BLOCK: u16 = 1468;

/// EDK2 asks for 4; more than 16 overruns small switches' buffers.
const LARGEST_WINDOW: u16 = 16;

/// A lost packet costs this much; twenty times less than the library's own 3 s.
const TIMEOUT: Duration = Duration::from_millis(400);

/// Together about 3 s without a sign of life, which also frees the slot of an EDK2 client
/// after its size probe; those that are still there have asked again by then.
const RETRIES: u32 = 8;

/// A room of machines that boots at once; a slot is a buffer of [`READ_AHEAD`] bytes.
const MOST_TRANSFERS: usize = 128;

/// Reads from the stick in pieces that a USB 2 disk delivers well.
const READ_AHEAD: usize = 64 * 1024;

/// How long the socket may fail before it is tried again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Serves on `socket` until the process ends.
pub fn run(world: &Arc<World>, socket: &UdpSocket) {
    let slots = Transfers::default();
    loop {
        let Err(error) = serve_once(world, &slots, socket) else {
            return;
        };
        log::error!("tftp: {error}; starting again");
        std::thread::sleep(RESTART_PAUSE);
    }
}

/// The library ends at the first error of its socket.
fn serve_once(
    world: &Arc<World>,
    slots: &Transfers,
    socket: &UdpSocket,
) -> Result<(), async_tftp::Error> {
    let handler = Tree { world: Arc::clone(world), slots: slots.clone() };
    let server = TftpServerBuilder::with_handler(handler)
        .std_socket(socket.try_clone()?)?
        .timeout(TIMEOUT)
        .ignore_client_timeout()
        .max_send_retries(RETRIES)
        .block_size_limit(LARGEST_BLOCK)
        .window_size_limit(LARGEST_WINDOW);
    async_io::block_on(async { server.build().await?.serve().await })
}

struct Tree {
    world: Arc<World>,
    slots: Transfers,
}

impl Handler for Tree {
    type Reader = Download;
    type Writer = Sink;

    fn read_req_open(
        &mut self,
        client: &SocketAddr,
        path: &Path,
    ) -> impl Future<Output = Result<(Download, Option<u64>), Error>> + Send {
        let opened = self.open(*client, path);
        async move { opened }
    }

    /// Nothing is ever written here.
    async fn write_req_open(
        &mut self,
        client: &SocketAddr,
        path: &Path,
        _size: Option<u64>,
    ) -> Result<Sink, Error> {
        log::warn!("tftp: {} may not write {path:?}: this server only reads", client.ip());
        Err(Error::PermissionDenied)
    }
}

impl Tree {
    fn open(&self, client: SocketAddr, path: &Path) -> Result<(Download, Option<u64>), Error> {
        let IpAddr::V4(asker) = client.ip() else {
            return Err(Error::PermissionDenied);
        };
        let asked = path.to_str().unwrap_or_default();
        let Some(name) = Name::parse(asked) else {
            log::debug!("tftp: {asker} asked for {asked:?}, which is no name");
            return Err(Error::FileNotFound);
        };
        let Some(slot) = self.slots.begin_within(MOST_TRANSFERS) else {
            log::warn!("tftp: {asker} is turned away: {MOST_TRANSFERS} transfers are running");
            return Err(Error::Msg("busy, try again".to_owned()));
        };
        let found = content(&self.world, &name, asker, true);
        let path = name.path();
        let mut when_sent = None;
        let (source, size) = match found {
            Content::Bytes(bytes) => {
                let size = bytes.len() as u64;
                (Source::Bytes(io::Cursor::new(bytes)), size)
            }
            Content::Media(file) => {
                match self.world.gate(&file) {
                    Gate::Open => {}
                    Gate::Wait => {
                        log::info!("tftp: {path} is still being verified; {asker} does not get it");
                        return Err(Error::FileNotFound);
                    }
                    Gate::Closed(why) => {
                        log::warn!("tftp: {path} is not given out: {}", why.of_file);
                        return Err(Error::PermissionDenied);
                    }
                }
                let size = file.size;
                (Source::File(read_ahead(&file)?), size)
            }
            Content::Loader(file) => {
                let size = file.size;
                when_sent = self.loader_sent(asker, path.clone());
                (Source::File(read_ahead(&file)?), size)
            }
            Content::Unreadable => {
                return Err(Error::Msg("cannot be read from the stick".to_owned()));
            }
            // Nine of these are normal in one boot of PXELINUX: they are no news. TFTP has
            // no "later": any other code than "not found" stops some ROMs.
            Content::Missing | Content::NotReady => {
                log::debug!("tftp: {asker} asked for {path:?}, which is not there");
                return Err(Error::FileNotFound);
            }
        };
        log::info!("tftp: {asker} takes {path} ({size} bytes)");
        let shown = self.world.transfers.begin();
        Ok((Download { source, left: size, when_sent, _slot: slot, _shown: shown }, Some(size)))
    }

    /// What is told when a loader has been read to its end.
    fn loader_sent(&self, asker: Ipv4Addr, path: String) -> Option<WhenSent> {
        let mac = self.world.machine_at(asker)?;
        let world = Arc::clone(&self.world);
        Some(Box::new(move || world.loader_sent(mac, &path)))
    }
}

/// What is told when the last byte of a file has been read.
type WhenSent = Box<dyn FnOnce() + Send>;

/// A file on its way; its slot is free when it is dropped.
struct Download {
    source: Source,
    /// Bytes that were not read yet.
    left: u64,
    when_sent: Option<WhenSent>,
    _slot: Transfer,
    _shown: Transfer,
}

enum Source {
    Bytes(io::Cursor<Vec<u8>>),
    File(io::BufReader<Window>),
}

impl AsyncRead for Download {
    /// Reads in place: a stick is faster than the TFTP of any client, and the thread is
    /// this server's own.
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = match &mut self.source {
            Source::Bytes(bytes) => bytes.read(buffer),
            Source::File(file) => file.read(buffer),
        };
        if let Ok(count) = &read {
            self.left = self.left.saturating_sub(*count as u64);
            // The last window is on its way; what does not arrive is sent again.
            if self.left == 0
                && let Some(tell) = self.when_sent.take()
            {
                tell();
            }
        }
        Poll::Ready(read)
    }
}

/// Reads ahead in large pieces.
fn read_ahead(file: &MediaFile) -> Result<io::BufReader<Window>, Error> {
    let open = file.open().map_err(|error| {
        log::warn!("tftp: {}: cannot be opened: {error}", file.path);
        Error::Msg("cannot be read from the stick".to_owned())
    })?;
    Ok(io::BufReader::with_capacity(READ_AHEAD, open))
}
