//! The TFTP server: async-tftp with limits, on threads of its own.
//!
//! Its defaults are unsafe on a LAN: one client could make it hold 300 MB, and each client
//! that vanishes costs five minutes of retries. Requests come to it by the [`Door`] alone.

use std::future::{Future, ready};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_executor::LocalExecutor;
use async_tftp::packet::Error;
use async_tftp::server::{Handler, TftpServerBuilder};
use futures_lite::{future, io::Sink};

use super::door::{Door, Pace, WORKERS};
use super::download::{Ahead, Download, Source, Story};
use crate::fleet::timeline::{self, Weight};
use crate::guard::guarded;
use crate::inventory::MediaFile;
use crate::net::Mac;
use crate::verify::Gate;
use crate::world::World;
use crate::world::content::Content;
use crate::world::transfers::WhenSent;

/// A lost packet costs this much: by default 3 s, and clients ask for seconds, too. A round
/// trip on a LAN that is full is shorter. Who is slower than that gets blocks twice, and
/// throws them away; the library hears no acknowledgement twice, so that does not go on.
const TIMEOUT: Duration = Duration::from_millis(100);

/// The same where few are served.
const QUICK_TIMEOUT: Duration = Duration::from_millis(50);

/// So long without a sign of life. The library hears no ERROR, so that is also how long an
/// EDK2 client is sent the answer to its size probe.
const LONGEST_SILENCE: Duration = Duration::from_secs(4);

/// How long the library may fail before it is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Serves port 69, which `socket` is bound to, until the process ends.
pub fn run(world: &Arc<World>, socket: &UdpSocket, descriptors: usize) {
    let door = loop {
        match Door::new(world, socket, descriptors) {
            Ok(door) => break Arc::new(door),
            Err(error) => log::error!("tftp: cannot begin: {error}; trying again"),
        }
        std::thread::sleep(RESTART_PAUSE);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| guarded("tftp", || door.keep()));
        for worker in 1..WORKERS {
            let door = &door;
            scope.spawn(move || guarded("tftp", || work(door, worker)));
        }
        work(&door, 0);
    });
}

/// The library ends at the first error of its socket.
fn work(door: &Arc<Door>, worker: usize) {
    while let Err(error) = serve(door, worker) {
        log::error!("tftp: {error}; starting again");
        std::thread::sleep(RESTART_PAUSE);
    }
}

fn serve(door: &Arc<Door>, worker: usize) -> Result<(), async_tftp::Error> {
    let quick = server(door, worker, Pace::Quick)?;
    let patient = server(door, worker, Pace::Patient)?;
    async_io::block_on(async {
        let (quick, patient) = (quick.build().await?, patient.build().await?);
        // Each looks at its socket whenever it is polled, and mostly one of them has nothing to
        // do: as a task, it is polled when it was woken itself.
        let tasks = LocalExecutor::new();
        let (quick, patient) = (tasks.spawn(quick.serve()), tasks.spawn(patient.serve()));
        tasks.run(future::or(quick, patient)).await
    })
}

fn server(
    door: &Arc<Door>,
    worker: usize,
    pace: Pace,
) -> Result<TftpServerBuilder<Tree>, async_tftp::Error> {
    let timeout = match pace {
        Pace::Quick => QUICK_TIMEOUT,
        Pace::Patient => TIMEOUT,
    };
    let retries = LONGEST_SILENCE.as_millis() / timeout.as_millis();
    // What it may grant, and no more, was written into the requests by the door.
    Ok(TftpServerBuilder::with_handler(Tree { door: Arc::clone(door) })
        .std_socket(door.lane(worker, pace)?)?
        .timeout(timeout)
        .ignore_client_timeout()
        .max_send_retries(u32::try_from(retries).unwrap_or(u32::MAX)))
}

struct Tree {
    door: Arc<Door>,
}

impl Handler for Tree {
    type Reader = Download;
    type Writer = Sink;

    fn read_req_open(
        &mut self,
        client: &SocketAddr,
        _: &Path,
    ) -> impl Future<Output = Result<(Download, Option<u64>), Error>> + Send {
        ready(match client {
            SocketAddr::V4(peer) => self.open(*peer),
            SocketAddr::V6(_) => Err(Error::PermissionDenied),
        })
    }

    /// The door lets no such request in.
    async fn write_req_open(
        &mut self,
        _: &SocketAddr,
        _: &Path,
        _: Option<u64>,
    ) -> Result<Sink, Error> {
        Err(Error::PermissionDenied)
    }
}

impl Tree {
    fn open(&self, peer: SocketAddrV4) -> Result<(Download, Option<u64>), Error> {
        let door = &self.door;
        let Some((path, content)) = door.places().open(peer) else {
            return Err(Error::UnknownTransferId);
        };
        let mac = door.world().machine_at(*peer.ip());
        let when_sent = match content {
            Content::Loader(_) => mac.map(|mac| self.loader_sent(mac, path.clone())),
            _ => None,
        };
        // A download lets its client go when it ends.
        let (source, size) = self.source(peer, &path, content).inspect_err(|why| {
            door.leave(peer);
            if let Some(mac) = mac {
                refused(door.world(), mac, why, &path);
            }
        })?;
        log::info!("tftp: {} takes {path} ({size} bytes)", peer.ip());
        let story = mac.map(|mac| Story::begins(door.world(), mac, &path));
        Ok((Download::new(door, peer, (source, size), when_sent, story), Some(size)))
    }

    fn source(
        &self,
        peer: SocketAddrV4,
        path: &str,
        content: Content,
    ) -> Result<(Source, u64), Error> {
        let from_file = |file: MediaFile| {
            let size = file.size;
            (Source::File(Box::new(Ahead::new(self.door.world(), file, peer))), size)
        };
        match content {
            Content::Bytes(bytes) => {
                let size = bytes.len() as u64;
                Ok((Source::Bytes(std::io::Cursor::new(bytes)), size))
            }
            Content::Media(file) => {
                self.pass(&file, path, *peer.ip())?;
                Ok(from_file(file))
            }
            Content::Loader(file) => Ok(from_file(file)),
            Content::Unreadable => Err(Error::Msg("cannot be read from the stick".to_owned())),
            // Nine of these are normal in one boot of PXELINUX: they are no news. TFTP has
            // no "later": any other code than "not found" stops some ROMs.
            Content::Missing | Content::NotReady | Content::InIso(_) => {
                log::debug!("tftp: {} asked for {path:?}, which is not there", peer.ip());
                Err(Error::FileNotFound)
            }
        }
    }

    /// Whether machines may have the file.
    fn pass(&self, file: &MediaFile, path: &str, asker: Ipv4Addr) -> Result<(), Error> {
        match self.door.world().gate(file) {
            Gate::Open => Ok(()),
            Gate::Wait => {
                log::info!("tftp: {path} is still being verified; {asker} does not get it");
                Err(Error::FileNotFound)
            }
            Gate::Closed(why) => {
                log::warn!("tftp: {asker} does not get {path}: {}", why.of_file);
                Err(Error::PermissionDenied)
            }
        }
    }

    /// What is told when a loader has been read to its end.
    fn loader_sent(&self, mac: Mac, path: String) -> WhenSent {
        let door = Arc::clone(&self.door);
        Box::new(move || door.world().loader_sent(mac, &path))
    }
}

/// What a machine's timeline is told of a file that it does not get.
fn refused(world: &World, mac: Mac, why: &Error, path: &str) {
    let (weight, why) = match why {
        Error::FileNotFound => (Weight::Info, "asks in vain for "),
        Error::PermissionDenied => (Weight::Warning, "does not get, as it is not verified, "),
        _ => (Weight::Error, "does not get, as the stick cannot be read, "),
    };
    world.got_nothing(mac, timeline::Source::Tftp, weight, why, path);
}
