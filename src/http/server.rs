//! The edge: accepts connections, with limits that no client can push.
//!
//! What is done without first, when there is too much to do, and what is always served:
//! connections that say nothing go first, then downloads wait for places (503), then those
//! that have stalled go. There are always places, threads and readers for scripts, loaders
//! and configurations that downloads cannot take.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Buf;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::answer::answer;
use super::body::{Body, Data, Outbox};
use super::guests::{Entry, Guests, Id, Limits};
use super::people::People;
use super::response::Downloads;
use super::route::route;
use super::socket::Socket;
use super::wire::Wire;
use crate::world::World;

/// Connections in all. Fewer where the system grants few descriptors.
const MOST_CONNECTIONS: usize = 512;

/// Connections of one machine; the greediest installer opens eight.
const MOST_PER_ADDRESS: usize = 32;

/// A request's head must be complete by then. The library knows one deadline for that and for
/// how long a connection may idle between requests. Installers reuse theirs for 15 s: with
/// 10 s, which would do for a head, theirs would be closed as they ask again.
const HEAD_DEADLINE: Duration = Duration::from_secs(20);

/// For a peer that takes nothing of its answer. Installers that write to a slow disk stop
/// reading for a while.
const STALL_DEADLINE: Duration = Duration::from_secs(120);

/// hyper's smallest buffer; heads of real clients are below 1 KiB.
const LARGEST_HEAD: usize = 8 * 1024;

/// After a failed accept (out of descriptors), and while there is no place: doubled up to
/// the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Rung when a connection has to go.
type Bell = oneshot::Sender<()>;

/// Shared by the listeners of all ports.
pub struct Edge {
    world: Arc<World>,
    guests: Mutex<Guests<Bell>>,
    downloads: Downloads,
    people: People,
}

impl Edge {
    /// An edge with all its places free. `descriptors`: how many it may use; a connection
    /// with a file takes two.
    pub fn new(world: Arc<World>, descriptors: usize, people: People) -> Arc<Edge> {
        let places = MOST_CONNECTIONS.min(descriptors / 2);
        let limits = Limits { places, of_address: MOST_PER_ADDRESS };
        Arc::new(Edge {
            world,
            people,
            guests: Mutex::new(Guests::new(limits)),
            // An eighth is always left for what is small.
            downloads: Downloads::limited_to(places - places.div_ceil(8)),
        })
    }

    /// Serves one listener until the process ends.
    pub async fn serve(self: Arc<Edge>, listener: TcpListener) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    pause = SHORTEST_PAUSE;
                    // Small answers must not wait for the acknowledgement of the one before.
                    let _ = stream.set_nodelay(true);
                    let address = ipv4(peer);
                    if let Some((guest, shed)) = self.admit(address).await {
                        tokio::spawn(guest.stays(stream, shed));
                        // He is heard before the next one, who may need his place.
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    log::warn!("http: cannot accept: {error}; trying again");
                    // Whoever is silent makes room for who may have something to say.
                    drop(self.guests().shed());
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Converses over any socket, as with a peer at `address` that came in by a listener;
    /// returns when it is over.
    pub async fn converse(self: Arc<Edge>, stream: impl Socket, address: Ipv4Addr) {
        if let Some((guest, shed)) = self.admit(address).await {
            guest.stays(stream, shed).await;
        }
    }

    /// A place for a peer; it may have to wait for one, and others in the kernel's backlog
    /// behind it. None: its address has enough of them.
    async fn admit(self: &Arc<Edge>, address: Ipv4Addr) -> Option<(Guest, oneshot::Receiver<()>)> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            let (bell, shed) = oneshot::channel();
            let entry = self.guests().admit(address, Instant::now(), || bell);
            match entry {
                Entry::Welcome(id) => {
                    return Some((Guest { edge: Arc::clone(self), id, address }, shed));
                }
                Entry::Refused => {
                    log::debug!("http: {address} has too many connections already");
                    return None;
                }
                // Dropping a bell rings it.
                Entry::After(bell) => drop(bell),
                Entry::Wait => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            }
            // He leaves as soon as he is heard.
            tokio::task::yield_now().await;
        }
    }

    fn guests(&self) -> MutexGuard<'_, Guests<Bell>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place; free again when dropped.
struct Guest {
    edge: Arc<Edge>,
    id: Id,
    address: Ipv4Addr,
}

impl Guest {
    /// Converses until the peer goes, or has to go.
    async fn stays(self, stream: impl Socket, shed: oneshot::Receiver<()>) {
        tokio::select! {
            () = self.converse(stream) => {}
            _ = shed => log::debug!("http: {} had to go: others need the place", self.address),
        }
    }

    async fn converse(&self, stream: impl Socket) {
        let Guest { edge, id, address } = self;
        let outbox = Outbox::default();
        let for_files = &outbox;
        let service = service_fn(|request| async move {
            let asking = Asking::begin(edge, *id);
            let place = route(request.uri().to_string().as_str());
            let answer = match place.is_for_people() {
                true => edge.people.answer(&edge.world, place, request, *address).await,
                false => answer(&edge.world, &edge.downloads, request, *address).await,
            };
            edge.world.counters.http(answer.status().as_u16());
            let outbox = for_files.clone();
            let asking = Some(asking);
            Ok::<_, Infallible>(answer.map(|body| Answered { body, outbox, asking, last: None }))
        });
        let moved = |count| {
            edge.world.counters.http_sent(count);
            edge.guests().moved(*id, Instant::now());
        };
        let wire = Wire::new(stream, outbox.clone(), STALL_DEADLINE, moved);
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DEADLINE)
            .max_buf_size(LARGEST_HEAD)
            // Who says that it asks for no more still gets its answer; and nothing is read
            // while an answer is sent, which would take a buffer of 8 KiB for each client.
            .half_close(true)
            .title_case_headers(true)
            // This box has no clock: RFC 9110 §6.6.1 has such a server send no date.
            .auto_date_header(false)
            .serve_connection(TokioIo::new(wire), service)
            .await;
        // GRUB ends each file with a reset; a stick that is pulled ends here too.
        if let Err(error) = served {
            log::debug!("http: {address}: {error}");
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.edge.guests().leave(self.id);
    }
}

/// A request that is being answered, until its body is out.
struct Asking {
    edge: Arc<Edge>,
    id: Id,
}

impl Asking {
    fn begin(edge: &Arc<Edge>, id: Id) -> Asking {
        edge.guests().asks(id, true, Instant::now());
        Asking { edge: Arc::clone(edge), id }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.edge.guests().asks(self.id, false, Instant::now());
    }
}

/// A body that tells when it is out.
struct Answered {
    body: Body,
    outbox: Outbox,
    asking: Option<Asking>,
    last: Option<Data>,
}

impl HttpBody for Answered {
    type Data = Data;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Data>, Infallible>>> {
        let asking = self.asking.take();
        let data = match std::mem::replace(&mut self.body, Body::Empty) {
            Body::Empty => self.last.take(),
            Body::Bytes(bytes) => Some(Data::Bytes(bytes)),
            Body::File(file) => {
                let (first, last) = self.outbox.put(file, asking);
                self.last = Some(last);
                Some(first)
            }
        };
        Poll::Ready(data.filter(Buf::has_remaining).map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Body::Empty => self.last.is_none(),
            Body::Bytes(bytes) => bytes.is_empty(),
            Body::File(file) => file.left() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            // Not "exactly 0": that would overwrite the length that HEAD announces.
            Body::Empty => match &self.last {
                None => SizeHint::default(),
                Some(last) => SizeHint::with_exact(last.remaining() as u64),
            },
            Body::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::File(file) => SizeHint::with_exact(file.left()),
        }
    }
}

fn ipv4(peer: SocketAddr) -> Ipv4Addr {
    match peer.ip() {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

/// It went away before we looked.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
