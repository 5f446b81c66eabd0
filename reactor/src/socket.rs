//! A socket whose calls wait without a thread.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::Poll;

use crate::reactor::{Reactor, Source};

/// A socket that belongs to the reactor of the thread that has made it.
pub struct Async<T: AsFd> {
    socket: T,
    source: Arc<Source>,
    reactor: Arc<Reactor>,
}

impl<T: AsFd> Async<T> {
    /// Takes a socket, and makes its calls return at once.
    pub fn new(socket: T) -> io::Result<Async<T>> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let reactor = Reactor::of_this_thread();
        let source = reactor.add(&socket)?;
        Ok(Async { socket, source, reactor })
    }

    /// The socket.
    pub fn get_ref(&self) -> &T {
        &self.socket
    }
}

impl<T: AsFd> AsRef<T> for Async<T> {
    fn as_ref(&self) -> &T {
        &self.socket
    }
}

impl<T: AsFd> Drop for Async<T> {
    fn drop(&mut self) {
        self.reactor.remove(&self.socket, &self.source);
    }
}

impl Async<UdpSocket> {
    /// A new one, bound to this address.
    pub fn bind(address: impl Into<SocketAddr>) -> io::Result<Async<UdpSocket>> {
        Async::new(UdpSocket::bind(address.into())?)
    }

    /// The next datagram.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|context| {
            // Before the look: what comes after it is told.
            self.source.readable().set(context.waker());
            not_yet(self.socket.recv_from(buffer))
        })
        .await
    }

    /// Sends a datagram, when there is room.
    pub async fn send_to(&self, datagram: &[u8], to: impl Into<SocketAddr>) -> io::Result<usize> {
        let to = to.into();
        let mut waits = false;
        poll_fn(|context| {
            let mut sent = not_yet(self.socket.send_to(datagram, to));
            if sent.is_pending() {
                self.source.writable().set(context.waker());
                if !waits {
                    waits = true;
                    // Room that was made meanwhile is told, too.
                    if let Err(error) = self.reactor.wants_room(&self.socket, &self.source) {
                        sent = Poll::Ready(Err(error));
                    }
                }
            } else if waits {
                // That it is told of room a while longer costs time alone.
                let _ = self.reactor.has_room(&self.socket, &self.source);
            }
            sent
        })
        .await
    }
}

fn not_yet<T>(done: io::Result<T>) -> Poll<io::Result<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    }
}
