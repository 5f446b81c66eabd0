//! Bodies: bytes in memory, or a part of a file read in large pieces.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::oneshot::Receiver;

use super::story::Story;
use crate::inventory::media_file::Window;
use crate::world::readers::Readers;
use crate::world::transfers::Transfer;
use crate::world::turns::Errand;

/// Large enough that a system call costs nothing beside its bytes.
const LARGEST_PIECE: usize = 256 * 1024;

/// Still one read of a stick for several packets.
const SMALLEST_PIECE: usize = 32 * 1024;

/// Every download holds two pieces. With many of them the pieces are smaller: together twice
/// this much, which a Pi 3 can spare.
const PIECES_TOGETHER: usize = 16 * 1024 * 1024;

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
    errand: Errand,
    readers: Readers,
    reading: Option<Receiver<io::Result<Bytes>>>,
    when_sent: Option<WhenSent>,
    story: Option<Story>,
    shown: Transfer,
    _place: Option<Transfer>,
}

/// Which part of a file goes to whom.
pub struct Sending {
    /// Its first byte.
    pub first: u64,
    /// How many.
    pub length: u64,
    /// Whose turn it is when the next piece is read.
    pub errand: Errand,
    /// Who reads it.
    pub readers: Readers,
    /// For the LEDs.
    pub shown: Transfer,
    /// A download's place among the others.
    pub place: Option<Transfer>,
    /// Who wants to know when its last byte is out.
    pub when_sent: Option<WhenSent>,
    /// Where it is told how it ended.
    pub story: Option<Story>,
}

impl FileBody {
    /// A file that became shorter ends the connection with an error: a download that looks
    /// whole is whole.
    pub fn new(file: Window, sending: Sending) -> FileBody {
        let Sending { first, length, errand, readers, shown, place, when_sent, story } = sending;
        FileBody {
            file: Arc::new(file),
            at: first,
            left: length,
            errand,
            readers,
            reading: None,
            when_sent,
            story,
            shown,
            _place: place,
        }
    }

    /// Starts to read the next piece, if there is one.
    fn read_ahead(&mut self) {
        let piece = piece(self.shown.running());
        let length = usize::try_from(self.left).unwrap_or(piece).min(piece);
        if length == 0 || self.reading.is_some() {
            return;
        }
        let (file, at) = (Arc::clone(&self.file), self.at);
        self.reading = Some(self.readers.read(&self.errand, move || {
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
            // So many wait for this stick that it must hang.
            Poll::Ready(Err(given_up)) => Err(io::Error::other(given_up)),
        };
        self.reading = None;
        if let (Err(_), Some(story)) = (&piece, &mut self.story) {
            story.is_unreadable();
        }
        if let Ok(bytes) = &piece {
            self.at += bytes.len() as u64;
            self.left = self.left.saturating_sub(bytes.len() as u64);
            if let Some(story) = &mut self.story {
                story.goes_on(self.left);
            }
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

/// How much is read at a time while so many downloads run.
fn piece(running: usize) -> usize {
    (PIECES_TOGETHER / running.max(1)).clamp(SMALLEST_PIECE, LARGEST_PIECE)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_download_is_read_in_large_pieces_and_many_take_no_more_memory() {
        assert_eq!(piece(0), LARGEST_PIECE);
        assert_eq!(piece(64), LARGEST_PIECE);
        for running in [65, 200, 448] {
            let together = 2 * running * piece(running);
            assert!(together <= 2 * PIECES_TOGETHER, "{running}: {together}");
        }
    }
}
