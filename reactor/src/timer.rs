//! Waiting for a time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::reactor::{Reactor, Timed};

/// Ready at its time.
pub struct Timer {
    at: Option<Instant>,
    set: Option<(Arc<Reactor>, Timed)>,
}

impl Timer {
    /// After so long.
    pub fn after(time: Duration) -> Timer {
        // None: never.
        Timer { at: Instant::now().checked_add(time), set: None }
    }
}

impl Future for Timer {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Instant> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        let now = Instant::now();
        if now >= at {
            return Poll::Ready(now);
        }
        let (reactor, timed) = self.set.get_or_insert_with(|| {
            let reactor = Reactor::of_this_thread();
            let number = reactor.number();
            (reactor, (at, number))
        });
        reactor.set(*timed, context.waker());
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some((reactor, timed)) = &self.set {
            reactor.unset(timed);
        }
    }
}
