//! The edge: accepts connections, with limits that no client can push.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::answer::answer;
use crate::world::World;

/// Connections in all; each may hold two pieces of a file.
const MOST_CONNECTIONS: usize = 512;

/// Connections of one machine; the greediest installer opens eight.
const MOST_PER_ADDRESS: usize = 32;

/// A request's head must be complete by then. It is also how long a connection may idle
/// between requests, so no less than the 15 s that installers reuse theirs.
const HEAD_DEADLINE: Duration = Duration::from_secs(20);

/// hyper's smallest buffer; heads of real clients are below 1 KiB.
const LARGEST_HEAD: usize = 8 * 1024;

/// After a failed accept (out of descriptors): doubled up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Shared by the listeners of all ports.
pub struct Edge {
    world: Arc<World>,
    places: Arc<Semaphore>,
    guests: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Edge {
    /// An edge with all its places free.
    pub fn new(world: Arc<World>) -> Arc<Edge> {
        Arc::new(Edge {
            world,
            places: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
            guests: Arc::default(),
        })
    }

    /// Serves one listener until the process ends.
    pub async fn serve(self: Arc<Edge>, listener: TcpListener) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            // A place first: what does not fit waits in the kernel's backlog.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    pause = SHORTEST_PAUSE;
                    if let Some(guest) = self.admit(peer) {
                        let edge = Arc::clone(&self);
                        tokio::spawn(async move {
                            edge.converse(stream, peer).await;
                            drop((guest, place));
                        });
                    }
                }
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    log::warn!("http: cannot accept: {error}; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn converse(&self, stream: TcpStream, peer: SocketAddr) {
        // Small answers must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let world = &self.world;
        let asker = ipv4(peer.ip());
        let service = service_fn(|request| async move {
            Ok::<_, Infallible>(answer(world, &request, asker).await)
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DEADLINE)
            .max_buf_size(LARGEST_HEAD)
            .title_case_headers(true)
            // This box has no clock: RFC 9110 §6.6.1 has such a server send no date.
            .auto_date_header(false)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        // GRUB ends each file with a reset; a stick that is pulled ends here too.
        if let Err(error) = served {
            log::debug!("http: {asker}: {error}");
        }
    }

    fn admit(&self, peer: SocketAddr) -> Option<Guest> {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        let count = guests.entry(peer.ip()).or_default();
        if *count >= MOST_PER_ADDRESS {
            log::debug!("http: {} has too many connections already", peer.ip());
            return None;
        }
        *count += 1;
        Some(Guest { guests: Arc::clone(&self.guests), address: peer.ip() })
    }
}

/// Counts a connection of an address; gives it back when dropped.
struct Guest {
    guests: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = guests.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                guests.remove(&self.address);
            }
        }
    }
}

fn ipv4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

/// It went away before we looked.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
