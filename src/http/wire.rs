//! A connection's bytes, with a deadline for a peer that takes none of them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A stream that fails when its peer takes nothing for too long.
pub struct Wire<S, M> {
    stream: S,
    deadline: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    moved: M,
}

impl<S, M: FnMut()> Wire<S, M> {
    /// `moved` is called whenever the peer has taken something.
    pub fn new(stream: S, deadline: Duration, moved: M) -> Wire<S, M> {
        Wire { stream, deadline, stalled: None, moved }
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            (self.moved)();
            return written;
        }
        let deadline = self.deadline;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(deadline)));
        match stalled.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl<S: AsyncRead + Unpin, M: Unpin> AsyncRead for Wire<S, M> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin, M: FnMut() + Unpin> AsyncWrite for Wire<S, M> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn a_peer_that_takes_nothing_is_let_go_and_a_slow_one_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut peer, ours) = tokio::io::duplex(16);
            let mut moves = 0;
            let deadline = Duration::from_millis(200);
            let mut wire = Wire::new(ours, deadline, || moves += 1);
            // Ten times the deadline in all, and always a little before it.
            let slow = async {
                let mut byte = [0; 16];
                for _ in 0..10 {
                    tokio::time::sleep(deadline / 4).await;
                    peer.read_exact(&mut byte).await.unwrap();
                }
            };
            let (sent, ()) = tokio::join!(wire.write_all(&[7; 16 * 10]), slow);
            sent.unwrap();
            let error = wire.write_all(&[7; 64]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(moves >= 10, "{moves}");
        });
    }
}
