//! Bodies: bytes in memory, or a part of a file read in large pieces.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::inventory::media_file::Window;
use crate::world::transfers::Transfer;

/// Large enough that a system call costs nothing beside its bytes, small enough that 512
/// connections fit the memory of a Pi 3.
const PIECE: usize = 256 * 1024;

/// What is told when the last byte of a file has been handed over.
pub type WhenSent = Box<dyn FnOnce() + Send>;

/// The body of an answer.
pub enum Body {
    /// Nothing (or HEAD: the length stands in the header).
    Empty,
    /// In memory.
    Bytes(Bytes),
    /// A part of a file.
    File(FileBody),
}

/// A part of a file, read ahead by one piece.
pub struct FileBody {
    file: Arc<Window>,
    at: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    when_sent: Option<WhenSent>,
    _shown: Transfer,
}

impl FileBody {
    /// `length` bytes from `at`. A file that became shorter ends the connection with an
    /// error: a download that looks whole is whole.
    pub fn new(
        file: Window,
        at: u64,
        length: u64,
        when_sent: Option<WhenSent>,
        shown: Transfer,
    ) -> FileBody {
        FileBody { file: Arc::new(file), at, left: length, reading: None, when_sent, _shown: shown }
    }

    /// Starts to read the next piece, if there is one.
    fn read_ahead(&mut self) {
        let length = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        if length == 0 || self.reading.is_some() {
            return;
        }
        let (file, at) = (Arc::clone(&self.file), self.at);
        self.reading = Some(tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0; length];
            file.read_exact_at(&mut buffer, at)?;
            Ok(Bytes::from(buffer))
        }));
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.read_ahead();
        let Some(reading) = &mut self.reading else {
            if let Some(tell) = self.when_sent.take() {
                tell();
            }
            return Poll::Ready(None);
        };
        let piece = match Pin::new(reading).poll(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(read)) => read,
            Poll::Ready(Err(stopped)) => Err(io::Error::other(stopped)),
        };
        self.reading = None;
        if let Ok(bytes) = &piece {
            self.at += bytes.len() as u64;
            self.left = self.left.saturating_sub(bytes.len() as u64);
            self.read_ahead();
            // Hyper asks no further once the promised length is reached.
            if self.left == 0
                && let Some(tell) = self.when_sent.take()
            {
                tell();
            }
        }
        Poll::Ready(Some(piece))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Body::Empty => Poll::Ready(None),
            Body::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Body::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Body::File(file) => file.poll(context).map(|piece| Some(piece?.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Bytes(bytes) => bytes.is_empty(),
            Body::File(file) => file.left == 0 && file.when_sent.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            // Not "exactly 0": that would overwrite the length that HEAD announces.
            Body::Empty => SizeHint::default(),
            Body::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::File(file) => SizeHint::with_exact(file.left),
        }
    }
}
