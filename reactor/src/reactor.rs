//! One thread's sockets and timers, and how it waits for them.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

/// Events taken at once.
const BATCH: usize = 64;

/// No socket has this number.
const CALL: u64 = 0;

/// Edges: a socket is registered once, and who finds nothing in it is told of what comes.
const READABLE: EventFlags = EventFlags::IN.union(EventFlags::ET);
const BOTH: EventFlags = READABLE.union(EventFlags::OUT);

/// Without descriptors for them, a thread waits for its timers so long at most, and is called
/// by nobody. No socket can be opened then, either.
const BLIND: Duration = Duration::from_millis(10);

/// What a thread waits with.
pub struct Reactor {
    queue: io::Result<Queue>,
    last: AtomicU64,
    sources: Mutex<HashMap<u64, Arc<Source>>>,
    timers: Mutex<BTreeMap<Timed, Waker>>,
    asleep: AtomicBool,
}

/// Timers in the order of their time; the number tells those of one instant apart.
pub type Timed = (Instant, u64);

struct Queue {
    epoll: OwnedFd,
    /// Written to by another thread, never read: each write is an edge.
    call: OwnedFd,
}

/// Who waits for a socket.
#[derive(Default)]
pub struct Source {
    number: u64,
    readable: Slot,
    writable: Slot,
}

/// Who is told once; he may have stopped waiting.
#[derive(Default)]
pub struct Slot(Mutex<Option<Waker>>);

impl Reactor {
    /// Made when it is first asked for.
    pub fn of_this_thread() -> Arc<Reactor> {
        thread_local! {
            static OWN: OnceCell<Arc<Reactor>> = const { OnceCell::new() };
        }
        OWN.with(|own| Arc::clone(own.get_or_init(|| Arc::new(Reactor::new()))))
    }

    fn new() -> Reactor {
        Reactor {
            queue: Queue::new(),
            last: AtomicU64::new(CALL),
            sources: Mutex::default(),
            timers: Mutex::default(),
            asleep: AtomicBool::new(false),
        }
    }

    /// A socket more.
    pub fn add(&self, socket: impl AsFd) -> io::Result<Arc<Source>> {
        let source = Arc::new(Source { number: self.number(), ..Source::default() });
        let epoll = &self.queue()?.epoll;
        lock(&self.sources).insert(source.number, Arc::clone(&source));
        let data = EventData::new_u64(source.number);
        epoll::add(epoll, socket, data, READABLE)
            .inspect_err(|_| drop(lock(&self.sources).remove(&source.number)))?;
        Ok(source)
    }

    /// A socket less.
    pub fn remove(&self, socket: impl AsFd, source: &Source) {
        drop(lock(&self.sources).remove(&source.number));
        if let Ok(queue) = self.queue() {
            // The kernel forgets it anyway when it is closed.
            let _ = epoll::delete(&queue.epoll, socket);
        }
    }

    /// Tells `source` also when there is room: else each packet that is out would be told.
    pub fn wants_room(&self, socket: impl AsFd, source: &Source) -> io::Result<()> {
        let data = EventData::new_u64(source.number);
        Ok(epoll::modify(&self.queue()?.epoll, socket, data, BOTH)?)
    }

    /// And no longer.
    pub fn has_room(&self, socket: impl AsFd, source: &Source) -> io::Result<()> {
        let data = EventData::new_u64(source.number);
        Ok(epoll::modify(&self.queue()?.epoll, socket, data, READABLE)?)
    }

    /// Wakes `waker` at that time.
    pub fn set(&self, at: Timed, waker: &Waker) {
        let mut timers = lock(&self.timers);
        match timers.get_mut(&at) {
            Some(known) => known.clone_from(waker),
            None => drop(timers.insert(at, waker.clone())),
        }
        drop(timers);
        // Another thread's: that one may sleep for longer.
        self.call();
    }

    /// Not any more.
    pub fn unset(&self, at: &Timed) {
        drop(lock(&self.timers).remove(at));
    }

    /// A number that nothing else here has.
    pub fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Wakes its thread, if that waits.
    pub fn call(&self) {
        if self.asleep.load(Ordering::SeqCst)
            && let Ok(queue) = &self.queue
        {
            // Full: it has been called often enough.
            let _ = rustix::io::write(&queue.call, &1_u64.to_ne_bytes());
        }
    }

    /// Takes what has happened and wakes who waits for it. If nothing has, waits until
    /// something does, unless it is `busy`.
    pub fn turn(&self, busy: impl Fn() -> bool) {
        self.asleep.store(true, Ordering::SeqCst);
        // Who rings after this look sees that we sleep.
        let patience = if busy() { Some(Duration::ZERO) } else { self.until_next_timer() };
        let mut events = [MaybeUninit::uninit(); BATCH];
        let came = self.wait(&mut events, patience);
        self.asleep.store(false, Ordering::SeqCst);
        for event in came {
            let source = lock(&self.sources).get(&event.data.u64()).cloned();
            if let Some(source) = source {
                source.has(event.flags);
            }
        }
        self.ring_timers();
    }

    fn wait<'a>(
        &self,
        events: &'a mut [MaybeUninit<Event>; BATCH],
        patience: Option<Duration>,
    ) -> &'a [Event] {
        let Ok(queue) = &self.queue else {
            std::thread::sleep(patience.unwrap_or(BLIND).min(BLIND));
            return &[];
        };
        let patience = patience.map(in_milliseconds);
        match epoll::wait(&queue.epoll, events, patience.as_ref()) {
            Ok((came, _)) => came,
            // A signal; and nothing else can be wrong with what we have opened.
            Err(_) => &[],
        }
    }

    fn until_next_timer(&self) -> Option<Duration> {
        let timers = lock(&self.timers);
        let (first, _) = timers.keys().next()?;
        Some(first.saturating_duration_since(Instant::now()))
    }

    fn ring_timers(&self) {
        if lock(&self.timers).is_empty() {
            return;
        }
        let now = Instant::now();
        // One by one: who is woken may set or unset others.
        loop {
            let mut timers = lock(&self.timers);
            let due = timers.first_entry().filter(|first| first.key().0 <= now);
            let Some(waker) = due.map(|first| first.remove()) else {
                return;
            };
            drop(timers);
            waker.wake();
        }
    }

    fn queue(&self) -> io::Result<&Queue> {
        self.queue.as_ref().map_err(|error| error.kind().into())
    }
}

impl Queue {
    fn new() -> io::Result<Queue> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let call = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &call, EventData::new_u64(CALL), READABLE)?;
        Ok(Queue { epoll, call })
    }
}

impl Source {
    /// Who waits until it can be read.
    pub fn readable(&self) -> &Slot {
        &self.readable
    }

    /// Who waits for room.
    pub fn writable(&self) -> &Slot {
        &self.writable
    }

    fn has(&self, flags: EventFlags) {
        let broken = EventFlags::ERR | EventFlags::HUP;
        if flags.intersects(EventFlags::IN | broken) {
            self.readable.wake();
        }
        if flags.intersects(EventFlags::OUT | broken) {
            self.writable.wake();
        }
    }
}

impl Slot {
    /// Whom to tell from now on.
    pub fn set(&self, waker: &Waker) {
        match &mut *lock(&self.0) {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    fn wake(&self) {
        let waker = lock(&self.0).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Never early: that would be a turn for nothing.
fn in_milliseconds(time: Duration) -> Timespec {
    let millis = time.as_micros().div_ceil(1_000).min(60 * 60 * 1_000);
    Timespec {
        tv_sec: i64::try_from(millis / 1_000).unwrap_or_default(),
        tv_nsec: i64::try_from(millis % 1_000 * 1_000_000).unwrap_or_default(),
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
