//! What async-tftp needs of the crate async-io, under its name and with its interface: the
//! root's `[patch.crates-io]` puts it in its place.
//!
//! async-io has one reactor for all threads. To wait for one acknowledgement with a time-out,
//! it makes eight system calls beside receiving and sending, and a thread of its own takes the
//! waiting over now and then, which costs two switches between threads. Here each thread that
//! blocks on a future has a reactor of its own: a socket is registered once, a timer is an
//! entry in a map, and waiting is one call.
//!
//! What it leaves out: everything that async-tftp and pxeberry do not use. What it asks for: a
//! socket's events are seen by the thread that made it, while that one is in [`block_on`].

mod reactor;
mod socket;
mod timer;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use reactor::Reactor;
pub use socket::Async;
pub use timer::Timer;

/// Runs a future to its end, and this thread's sockets and timers meanwhile.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let reactor = Reactor::of_this_thread();
    let bell = Arc::new(Bell { rung: AtomicBool::new(false), reactor: Arc::clone(&reactor) });
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        // What rings from here on may have missed this poll.
        bell.rung.store(false, Ordering::SeqCst);
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        // A future that always has something to do must not keep its sockets waiting.
        reactor.turn(|| bell.rung.load(Ordering::SeqCst));
    }
}

/// Rung when a future may go on.
struct Bell {
    rung: AtomicBool,
    reactor: Arc<Reactor>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            self.reactor.call();
        }
    }
}
