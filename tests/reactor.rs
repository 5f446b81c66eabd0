//! What stands in for async-io under the TFTP library: nothing that happens is missed, and
//! nobody keeps another one waiting.
#![allow(clippy::unwrap_used)]

use std::future::{Future, poll_fn};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer, block_on};
use futures_lite::future;

const PATIENCE: Duration = Duration::from_secs(10);

fn socket() -> (Async<UdpSocket>, SocketAddr) {
    let socket = Async::<UdpSocket>::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = socket.get_ref().local_addr().unwrap();
    (socket, at)
}

/// The first byte of the next datagram; none if it does not come in time.
async fn hears(socket: &Async<UdpSocket>, patience: Duration) -> Option<u8> {
    let mut buffer = [0; 16];
    let heard = async {
        let (length, _) = socket.recv_from(&mut buffer).await.unwrap();
        assert_eq!(length, 1);
        Some(buffer[0])
    };
    let late = async {
        Timer::after(patience).await;
        None
    };
    future::or(heard, late).await
}

#[test]
fn a_datagram_is_heard_whether_it_comes_before_or_while_it_is_waited_for() {
    let (ours, at) = socket();
    let (theirs, _) = socket();
    block_on(async {
        theirs.send_to(&[1], at).await.unwrap();
        theirs.send_to(&[2], at).await.unwrap();
        // Both are here when the first is asked for: there is one edge for them.
        assert_eq!(hears(&ours, PATIENCE).await, Some(1));
        Timer::after(Duration::from_millis(1)).await;
        assert_eq!(hears(&ours, PATIENCE).await, Some(2));
        assert_eq!(hears(&ours, Duration::from_millis(20)).await, None);
    });
    // Ping-pong with another thread, which often finds the other one asleep.
    let echo = thread::spawn(move || {
        block_on(async {
            for _ in 0..500 {
                let mut buffer = [0; 16];
                let (length, from) = ours.recv_from(&mut buffer).await.unwrap();
                ours.send_to(&buffer[..length], from).await.unwrap();
            }
        });
    });
    // It was made by this thread, which is not in block_on for `ours` but for its own.
    block_on(async {
        for number in 0..500_u32 {
            let byte = number.to_ne_bytes()[0];
            theirs.send_to(&[byte], at).await.unwrap();
            assert_eq!(hears(&theirs, PATIENCE).await, Some(byte), "{number}");
        }
    });
    echo.join().unwrap();
}

#[test]
fn another_thread_wakes_one_that_waits() {
    let (lend, borrow) = mpsc::channel::<Waker>();
    let (woken, wakes) = mpsc::channel::<()>();
    let other = thread::spawn(move || {
        for waker in borrow {
            woken.send(()).unwrap();
            waker.wake();
        }
    });
    for round in 0..500 {
        let mut lent = false;
        let began = Instant::now();
        block_on(poll_fn(|context| {
            if !lent {
                lent = true;
                lend.send(context.waker().clone()).unwrap();
                return Poll::Pending;
            }
            if wakes.try_recv().is_ok() { Poll::Ready(()) } else { Poll::Pending }
        }));
        assert!(began.elapsed() < PATIENCE, "{round}");
    }
    drop(lend);
    other.join().unwrap();
}

#[test]
fn timers_ring_in_their_order_and_not_before_their_time() {
    let began = Instant::now();
    let rings = |millis: u64, name: &'static str| async move {
        Timer::after(Duration::from_millis(millis)).await;
        assert!(began.elapsed() >= Duration::from_millis(millis), "{name} is early");
        name
    };
    let never = async {
        Timer::after(Duration::MAX).await;
        "never"
    };
    block_on(async {
        let first = future::or(rings(60, "late"), future::or(never, rings(20, "soon"))).await;
        assert_eq!(first, "soon");
        // The late one was dropped, and rings nobody.
        assert_eq!(future::or(rings(80, "later"), rings(60, "soon")).await, "soon");
    });
}

#[test]
fn a_timer_that_was_dropped_rings_nobody() {
    let mut polls = 0;
    let mut end = Timer::after(Duration::from_millis(60));
    let counted = poll_fn(|context| {
        polls += 1;
        Pin::new(&mut end).poll(context)
    });
    block_on(async {
        for millis in 1..40 {
            let mut dropped = Timer::after(Duration::from_millis(millis));
            assert!(future::poll_once(&mut dropped).await.is_none());
        }
        counted.await;
    });
    assert!(polls <= 3, "{polls}: woken for others");
}

#[test]
fn who_always_has_something_to_do_keeps_no_socket_and_no_timer_waiting() {
    let (ours, at) = socket();
    let (theirs, _) = socket();
    let busy = async {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            future::yield_now().await;
        }
        None
    };
    block_on(async {
        let heard = async {
            Timer::after(Duration::from_millis(5)).await;
            theirs.send_to(&[7], at).await.unwrap();
            hears(&ours, PATIENCE).await
        };
        let heard = pin!(heard);
        assert_eq!(only_when_woken(heard, busy).await, Some(7));
    });
}

/// The first of the two to be ready, where `quiet` is polled only when itself was woken.
async fn only_when_woken<T>(
    mut quiet: Pin<&mut impl Future<Output = T>>,
    busy: impl Future<Output = T>,
) -> T {
    let bell = Arc::new(Bell { rung: AtomicBool::new(true), waker: Mutex::default() });
    let alone = poll_fn(|context| {
        *bell.waker.lock().unwrap() = Some(context.waker().clone());
        if !bell.rung.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        quiet.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&bell))))
    });
    future::or(alone, busy).await
}

struct Bell {
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        if let Some(waker) = &*self.waker.lock().unwrap() {
            waker.wake_by_ref();
        }
    }
}
