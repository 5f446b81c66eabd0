//! A future beside others that is polled only when it was woken itself. Pure.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is left alone while only others were woken.
pub struct WhenWoken<F> {
    future: Pin<Box<F>>,
    bell: Option<(Arc<Bell>, Waker)>,
}

impl<F: Future> WhenWoken<F> {
    /// It is polled the first time, and whenever another task has it.
    pub fn new(future: F) -> WhenWoken<F> {
        WhenWoken { future: Box::pin(future), bell: None }
    }
}

impl<F: Future> Future for WhenWoken<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let WhenWoken { future, bell } = &mut *self;
        let known = bell.take().filter(|(bell, _)| bell.wakes.will_wake(context.waker()));
        let (bell, waker) = bell.insert(known.unwrap_or_else(|| Bell::new(context.waker())));
        if bell.rung.swap(false, Ordering::AcqRel) {
            return future.as_mut().poll(&mut Context::from_waker(waker));
        }
        Poll::Pending
    }
}

/// Remembers that it was rung, and wakes who polls.
struct Bell {
    rung: AtomicBool,
    wakes: Waker,
}

impl Bell {
    /// Rung already: the first poll is for everybody.
    fn new(wakes: &Waker) -> (Arc<Bell>, Waker) {
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), wakes: wakes.clone() });
        (Arc::clone(&bell), Waker::from(bell))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.wakes.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::poll_fn;
    use std::pin::pin;

    use super::*;

    /// Counts how often it is polled, and keeps what would wake it.
    fn counted<'a>(
        polls: &'a Cell<u32>,
        waker: &'a RefCell<Option<Waker>>,
    ) -> impl Future<Output = u32> + 'a {
        poll_fn(|context| {
            polls.set(polls.get() + 1);
            *waker.borrow_mut() = Some(context.waker().clone());
            if polls.get() < 3 { Poll::Pending } else { Poll::Ready(polls.get()) }
        })
    }

    /// A waker that counts.
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
        }
    }

    fn woken() -> (Arc<Woken>, Waker) {
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        (Arc::clone(&woken), Waker::from(woken))
    }

    #[test]
    fn a_future_is_polled_when_it_was_woken_and_not_when_others_were() {
        let (polls, own) = (Cell::new(0), RefCell::new(None));
        let mut future = pin!(WhenWoken::new(counted(&polls, &own)));
        let (woken, waker) = woken();
        let mut context = Context::from_waker(&waker);
        for _ in 0..3 {
            assert!(future.as_mut().poll(&mut context).is_pending());
            assert_eq!(polls.get(), 1, "only others were woken");
        }
        assert!(!woken.0.load(Ordering::Acquire));
        own.borrow().as_ref().unwrap().wake_by_ref();
        assert!(woken.0.load(Ordering::Acquire), "who polls it is woken");
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert_eq!(polls.get(), 2);
        own.take().unwrap().wake();
        assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(3));
    }

    #[test]
    fn a_future_that_goes_to_another_task_wakes_that_one() {
        let (polls, own) = (Cell::new(0), RefCell::new(None));
        let mut future = pin!(WhenWoken::new(counted(&polls, &own)));
        let (first, waker) = woken();
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let (second, waker) = woken();
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(polls.get(), 2, "it must learn whom to wake");
        own.take().unwrap().wake();
        assert!(second.0.load(Ordering::Acquire) && !first.0.load(Ordering::Acquire));
    }
}
