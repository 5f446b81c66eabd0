//! A connection's socket, which a server's thread and a reader share.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// A stream socket that says when it has room.
pub trait Socket: AsFd + Send + Sync + 'static {
    /// Ready when there is something to be read.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Ready when there is room to write.
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Reads what is there.
    fn try_to_read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Does `write`, and notes when that finds no room.
    fn try_to_write(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize>;
    /// Writes what there is room for.
    fn try_to_write_bytes(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize>;
}

macro_rules! is_a_socket {
    ($stream:ty) => {
        impl Socket for $stream {
            fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_read_ready(context)
            }

            fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_write_ready(context)
            }

            fn try_to_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.try_read(buffer)
            }

            fn try_to_write(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
                self.try_io(Interest::WRITABLE, write)
            }

            fn try_to_write_bytes(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
                self.try_write_vectored(bytes)
            }
        }
    };
}

is_a_socket!(TcpStream);
is_a_socket!(UnixStream);

/// For tests: always has room.
#[cfg(test)]
pub struct Bottomless(pub std::fs::File);

#[cfg(test)]
impl Default for Bottomless {
    fn default() -> Bottomless {
        Bottomless(std::fs::File::options().write(true).open("/dev/null").unwrap())
    }
}

#[cfg(test)]
impl AsFd for Bottomless {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
impl Socket for Bottomless {
    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn try_to_read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_to_write(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        write()
    }

    fn try_to_write_bytes(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        io::Write::write_vectored(&mut &self.0, bytes)
    }
}
