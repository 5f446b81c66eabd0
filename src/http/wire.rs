//! A connection's bytes, with a deadline for a peer that takes none of them; where a file's
//! stand in, a reader has the kernel send the file.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::oneshot::Receiver;
use tokio::time::Sleep;

use super::body::{Outbox, is_stand_in};
use super::socket::Socket;

/// Of a reader, when the connection has gone. One that takes longer has a stick that hangs.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A stream that fails when its peer takes nothing for too long.
pub struct Wire<S: Socket, M> {
    socket: Arc<S>,
    outbox: Outbox,
    sending: Option<Receiver<io::Result<usize>>>,
    /// Was sent already of what stands in next.
    ahead: usize,
    deadline: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    moved: M,
}

impl<S: Socket, M: FnMut(usize)> Wire<S, M> {
    /// `outbox` has the files that stand-ins are for; `moved` is told how many bytes the peer
    /// has taken, whenever it takes some.
    pub fn new(socket: S, outbox: Outbox, deadline: Duration, moved: M) -> Wire<S, M> {
        let socket = Arc::new(socket);
        Wire { socket, outbox, sending: None, ahead: 0, deadline, stalled: None, moved }
    }

    /// Waits for room, and not for ever.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(room) = self.socket.poll_writable(context) {
            return Poll::Ready(room);
        }
        let deadline = self.deadline;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(deadline)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn has_moved(&mut self, count: usize) {
        self.stalled = None;
        (self.moved)(count);
    }

    fn poll_bytes(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_room(context))?;
            match self.socket.try_to_write_bytes(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.has_moved(written.as_ref().copied().unwrap_or_default());
                    return Poll::Ready(written);
                }
            }
        }
    }

    /// A stick that hangs is no fault of the peer: the deadline is for the socket's room.
    fn poll_file(&mut self, context: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        if self.ahead > 0 {
            let count = self.ahead.min(most);
            self.ahead -= count;
            return Poll::Ready(Ok(count));
        }
        loop {
            if let Some(sending) = &mut self.sending {
                let sent = ready!(Pin::new(sending).poll(context));
                self.sending = None;
                // So many wait for this stick that it must hang.
                match sent.unwrap_or_else(|given_up| Err(io::Error::other(given_up))) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => {
                        self.outbox.failed(&error);
                        return Poll::Ready(Err(error));
                    }
                    Ok(count) => {
                        self.has_moved(count);
                        self.outbox.sent(count);
                        self.ahead = count.saturating_sub(most);
                        return Poll::Ready(Ok(count - self.ahead));
                    }
                }
            }
            ready!(self.poll_room(context))?;
            let sending = self.outbox.send(&self.socket);
            self.sending = Some(sending.ok_or(io::ErrorKind::InvalidInput)?);
        }
    }
}

impl<S: Socket, M: Unpin> AsyncRead for Wire<S, M> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_readable(context))?;
            match self.socket.try_to_read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(|count| buffer.advance(count))),
            }
        }
    }
}

impl<S: Socket, M: FnMut(usize) + Unpin> AsyncWrite for Wire<S, M> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let file = bytes.iter().position(|bytes| is_stand_in(bytes));
        match file.and_then(|at| bytes.split_at_checked(at)) {
            None => self.poll_bytes(context, bytes),
            Some(([], [file, ..])) => self.poll_file(context, file.len()),
            Some((before, _)) => self.poll_bytes(context, before),
        }
    }

    /// The stand-ins are known by their place, so nothing may copy them.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(shutdown(self.socket.as_fd(), Shutdown::Write).map_err(io::Error::from))
    }
}

impl<S: Socket, M> Drop for Wire<S, M> {
    fn drop(&mut self) {
        let Some(sending) = self.sending.take() else {
            return;
        };
        // A reader may hold the socket for as long as its stick hangs. The peer has gone
        // already: there is nobody to tell.
        let _ = shutdown(self.socket.as_fd(), Shutdown::Both);
        // It may have gone because it has all of it, before the reader could say so.
        if let Ok(runtime) = Handle::try_current() {
            let outbox = self.outbox.clone();
            runtime.spawn(async move {
                if let Ok(Ok(Ok(count))) = tokio::time::timeout(LAST_WORD, sending).await {
                    outbox.sent(count);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::super::body::{Data, Outgoing};
    use super::super::socket::Bottomless;
    use super::*;
    use crate::inventory::MediaFile;
    use crate::inventory::media_file::modified;
    use crate::world::readers::Readers;
    use crate::world::turns::Errand;
    use bytes::Buf;
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn run(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work);
    }

    /// With a clock that goes on when everybody waits for it, however busy the machine is.
    fn run_by_its_own_clock(work: impl Future<Output = ()>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap().block_on(work);
    }

    /// A file with these bytes, on its way, and whether it is said to be out.
    fn outgoing(name: &str, bytes: &[u8]) -> (Outgoing, Arc<AtomicBool>) {
        let folder = std::env::temp_dir();
        let path = format!("pxeberry-{name}-{}", std::process::id());
        std::fs::write(folder.join(&path), bytes).unwrap();
        let data = folder.join(&path).metadata().unwrap();
        let volume = folder.as_path().into();
        let (size, modified) = (data.len(), modified(&data));
        let file = MediaFile { volume, path, size, modified, inside: None };
        let window = file.open().unwrap();
        std::fs::remove_file(folder.join(&file.path)).unwrap();
        let errand = Errand::new(&file.volume, Ipv4Addr::LOCALHOST, size);
        let out = Arc::new(AtomicBool::new(false));
        let tells = Arc::clone(&out);
        let tell = Box::new(move || tells.store(true, Ordering::SeqCst));
        let outgoing = Outgoing::new(window, (0, size), errand, Readers::default());
        (outgoing.telling(Some(tell)), out)
    }

    async fn write<S: Socket, M: FnMut(usize) + Unpin>(wire: &mut Wire<S, M>, mut data: Data) {
        while data.has_remaining() {
            let written = wire.write_vectored(&[IoSlice::new(data.chunk())]).await.unwrap();
            data.advance(written);
        }
    }

    #[test]
    fn a_file_goes_out_where_its_stand_in_is_and_the_library_has_its_last_byte_at_the_end() {
        run(async {
            let bytes: Vec<u8> = (0..251).cycle().take(9_000_001).collect();
            let (file, out) = outgoing("wire", &bytes);
            let (mut peer, ours) = UnixStream::pair().unwrap();
            let outbox = Outbox::default();
            let mut wire = Wire::new(ours, outbox.clone(), Duration::from_secs(10), |_| {});
            let (first, last) = outbox.put(Box::new(file), ());
            assert_eq!((first.remaining(), last.remaining()), (bytes.len() - 1, 1));
            let sends = async {
                wire.write_all(b"head").await.unwrap();
                write(&mut wire, first).await;
                write(&mut wire, last).await;
                assert!(out.load(Ordering::SeqCst));
                wire.write_all(b"next").await.unwrap();
                wire.shutdown().await.unwrap();
            };
            let mut got = Vec::new();
            let (read, ()) = tokio::join!(peer.read_to_end(&mut got), sends);
            read.unwrap();
            assert!(got == [b"head", bytes.as_slice(), b"next"].concat());
        });
    }

    #[test]
    fn a_reader_that_sends_more_than_stands_in_at_once_is_ahead_of_the_library() {
        run(async {
            let size = 3 * Data::StandIn(usize::MAX).chunk().len() + 7;
            let (file, out) = outgoing("ahead", &vec![1; size]);
            let outbox = Outbox::default();
            let (socket, deadline) = (Bottomless::default(), Duration::from_secs(10));
            let mut taken = 0;
            let mut wire = Wire::new(socket, outbox.clone(), deadline, |count| taken += count);
            let (first, last) = outbox.put(Box::new(file), ());
            write(&mut wire, first).await;
            assert!(out.load(Ordering::SeqCst));
            write(&mut wire, last).await;
            // There is no file any more that a stand-in could be for.
            assert!(outbox.send(&Arc::new(Bottomless::default())).is_none());
            drop(wire);
            assert_eq!(taken, size);
        });
    }

    #[test]
    fn a_file_is_out_although_its_peer_has_gone_before_the_reader_says_so() {
        run(async {
            let (file, _) = outgoing("gone", &[1; 31]);
            let (told, hears) = tokio::sync::oneshot::channel();
            let file = file.telling(Some(Box::new(move || told.send(()).unwrap())));
            let (mut peer, ours) = UnixStream::pair().unwrap();
            let outbox = Outbox::default();
            let mut wire = Wire::new(ours, outbox.clone(), Duration::from_secs(10), |_| {});
            let (first, _) = outbox.put(Box::new(file), ());
            let mut got = [0; 31];
            tokio::select! {
                biased;
                read = peer.read_exact(&mut got) => assert_eq!(read.unwrap(), 31),
                () = write(&mut wire, first) => {}
            }
            drop((wire, outbox));
            hears.await.unwrap();
        });
    }

    #[test]
    fn a_file_that_nobody_takes_is_not_said_to_be_out() {
        run(async {
            let (file, out) = outgoing("stalled", &vec![1; 9_000_000]);
            let (_peer, ours) = UnixStream::pair().unwrap();
            let outbox = Outbox::default();
            let mut wire = Wire::new(ours, outbox.clone(), Duration::from_millis(100), |_| {});
            let (mut first, _) = outbox.put(Box::new(file), ());
            let error = loop {
                match wire.write_vectored(&[IoSlice::new(first.chunk())]).await {
                    Ok(written) => first.advance(written),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(!out.load(Ordering::SeqCst));
        });
    }

    #[test]
    fn a_peer_that_takes_nothing_is_let_go_and_a_slow_one_is_not() {
        run_by_its_own_clock(async {
            let (mut peer, ours) = UnixStream::pair().unwrap();
            let mut moves = 0;
            let deadline = Duration::from_millis(200);
            let mut wire = Wire::new(ours, Outbox::default(), deadline, |_| moves += 1);
            // The socket takes some of it at once. Then ten times the deadline in all, and
            // always a little before it.
            let some = vec![7; 4 * 1024 * 1024];
            let slow = async {
                let mut piece = vec![0; some.len() / 40];
                for _ in 0..40 {
                    tokio::time::sleep(deadline / 4).await;
                    peer.read_exact(&mut piece).await.unwrap();
                }
            };
            let (sent, ()) = tokio::join!(wire.write_all(&some), slow);
            sent.unwrap();
            let error = wire.write_all(&some).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            drop(wire);
            assert!(moves >= 10, "{moves}");
        });
    }
}
