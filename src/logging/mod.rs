//! Log lines for people: one line per event, to the console of the box or to stderr.
//!
//! Under PID 1 the lines go through the kernel's log (`/dev/kmsg`), which puts them on
//! every console (HDMI and serial) with the time since power-on, whole and in order. The last
//! ones are kept for whoever asks ([`ring_after`]), and no peer fills them.

mod limit;
mod ring;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use log::{Level, LevelFilter, Log, Metadata, Record};

use limit::Limiter;
pub use ring::Line;
use ring::Ring;

/// Environment variable by which PID 1 tells its children to log to the kernel's log.
pub const TARGET_VARIABLE: &str = "PXEBERRY_LOG";

/// Environment variable for a developer: `error`, `warn`, `info` (default) or `debug`.
const LEVEL_VARIABLE: &str = "PXEBERRY_LOG_LEVEL";

/// The kernel cuts a record at 1024 bytes; the rest of a longer line would be lost.
const KMSG_LINE: usize = 900;

/// Starts logging to the kernel's log if PID 1 asked for it, else to stderr.
pub fn start() {
    let to_kernel = std::env::var(TARGET_VARIABLE).is_ok_and(|target| target == "kmsg");
    if to_kernel { start_on_kernel_log() } else { install(Box::new(Stderr)) }
}

/// Starts logging to the kernel's log; falls back to stderr where it cannot be opened.
pub fn start_on_kernel_log() {
    match OpenOptions::new().write(true).open("/dev/kmsg") {
        Ok(file) => {
            install(Box::new(Kernel(file)));
            HAS_CONSOLE.store(true, Ordering::Relaxed);
        }
        Err(_) => install(Box::new(Stderr)),
    }
}

/// The lines behind number `after`, as far as they are still kept, and the number to ask with
/// next. 0: all of them.
pub fn ring_after(after: u64) -> (Vec<Line>, u64) {
    locked(&RING).after(after)
}

/// Says lines on the consoles alone: a banner for whoever looks at a screen. Nowhere else than
/// on a box of ours ([`has_console`]).
pub fn banner(lines: &[String]) {
    lines.iter().for_each(|line| log::info!(target: BANNER, "{line}"));
}

/// Whether our lines go to the consoles of a box of ours.
pub fn has_console() -> bool {
    HAS_CONSOLE.load(Ordering::Relaxed)
}

/// How many lines were said, but for those of banners.
pub fn lines_said() -> u64 {
    SAID.load(Ordering::Relaxed)
}

/// The lines of no event.
const BANNER: &str = "pxeberry::banner";

static HAS_CONSOLE: AtomicBool = AtomicBool::new(false);
static SAID: AtomicU64 = AtomicU64::new(0);

static RING: Mutex<Ring> = Mutex::new(Ring::new());

/// On the appliance nobody sees what the standard library prints of a panic.
fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string().replace('\n', ": ");
        log::error!("a fault in this program, please report it: {text}");
    }));
}

fn install(out: Box<dyn Out>) {
    tell_of_panics();
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok());
    let logger = Logger { out, limiter: Mutex::new(Limiter::new(Instant::now())) };
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(level.unwrap_or(LevelFilter::Info));
    }
}

/// Libraries speak only when something is wrong; their chatter is not for our users.
fn wanted(metadata: &Metadata) -> bool {
    metadata.target().starts_with("pxeberry") || metadata.level() <= Level::Error
}

fn words(level: Level) -> &'static str {
    match level {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        Level::Info | Level::Debug | Level::Trace => "",
    }
}

/// Where lines go.
trait Out: Send + Sync {
    fn line(&self, level: Level, text: &str);
}

/// Lines to the console and into the ring, with a share for each peer.
struct Logger {
    out: Box<dyn Out>,
    limiter: Mutex<Limiter>,
}

/// Lives and what a person should check: few by themselves, and none may be missed.
const NEVER_HELD_BACK: [&str; 2] = ["pxeberry::world", "pxeberry::world::boots"];

impl Logger {
    fn say(&self, level: Level, text: &str, now: Instant) {
        self.out.line(level, text);
        // For people: what a developer has asked for goes to his console alone.
        if level <= Level::Info {
            SAID.fetch_add(1, Ordering::Relaxed);
            locked(&RING).push(level, text, now);
        }
    }

    fn say_what_was_held_back(&self, now: Instant) {
        let due = locked(&self.limiter).due(now);
        due.iter().for_each(|line| self.say(Level::Warn, line, now));
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        wanted(metadata)
    }

    fn log(&self, record: &Record) {
        if !wanted(record.metadata()) {
            return;
        }
        let now = Instant::now();
        // One event, one line, whatever a peer has put into it.
        let text: String = record.args().to_string().chars().map(printed).collect();
        if record.target() == BANNER {
            return self.out.line(record.level(), &text);
        }
        let always = NEVER_HELD_BACK.contains(&record.target()) || record.level() > Level::Info;
        let may = always || locked(&self.limiter).admit(&text, now);
        self.say_what_was_held_back(now);
        if may {
            self.say(record.level(), &text, now);
        }
    }

    /// Says what was held back of peers that are quiet now.
    fn flush(&self) {
        self.say_what_was_held_back(Instant::now());
    }
}

fn printed(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

struct Stderr;

impl Out for Stderr {
    fn line(&self, level: Level, text: &str) {
        let line = format!("pxeberry: {}{text}\n", words(level));
        // A log line that cannot be written has nowhere to be reported.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

struct Kernel(File);

impl Out for Kernel {
    fn line(&self, level: Level, text: &str) {
        // syslog priorities, facility "daemon" (3): notice and above reach the consoles.
        let priority = match level {
            Level::Error => 3 << 3 | 3,
            Level::Warn => 3 << 3 | 4,
            Level::Info => 3 << 3 | 5,
            Level::Debug | Level::Trace => 3 << 3 | 7,
        };
        let mut line = format!("<{priority}>pxeberry: {}{text}", words(level));
        if line.len() > KMSG_LINE {
            line.truncate(line.floor_char_boundary(KMSG_LINE));
        }
        line.push('\n');
        let _ = (&self.0).write_all(line.as_bytes());
    }
}

/// A panic elsewhere must not silence the log.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl Out for Kept {
        fn line(&self, level: Level, text: &str) {
            locked(&self.0).push(format!("{}{text}", words(level)));
        }
    }

    fn says(logger: &Logger, target: &str, text: &str) {
        let args = format_args!("{text}");
        logger.log(&Record::builder().level(Level::Info).target(target).args(args).build());
    }

    #[test]
    fn an_event_is_one_line_and_a_life_is_never_left_out() {
        let kept = Kept::default();
        let limiter = Mutex::new(Limiter::new(Instant::now()));
        let logger = Logger { out: Box::new(kept.clone()), limiter };
        says(&logger, "pxeberry::tftp", "10.10.10.9 asks for a\nb\u{1b}[2J");
        assert_eq!(*locked(&kept.0), ["10.10.10.9 asks for a b [2J"]);
        for _ in 0..1_000 {
            says(&logger, "pxeberry::http", "node-1 (52:54:00:00:00:01): asks");
        }
        says(&logger, "pxeberry::world", "node-1 (52:54:00:00:00:01): installed");
        let lines = locked(&kept.0);
        assert!(lines.len() < 100, "{}", lines.len());
        assert!(lines.last().is_some_and(|line| line.ends_with("installed")));
    }

    #[test]
    fn what_is_said_is_in_the_ring_and_libraries_are_not_heard() {
        let limiter = Mutex::new(Limiter::new(Instant::now()));
        let logger = Logger { out: Box::new(Kept::default()), limiter };
        says(&logger, "pxeberry::serve", "a line of this very test");
        says(&logger, "hyper", "chatter of this very test");
        let (lines, _) = ring_after(0);
        assert!(lines.iter().any(|line| line.text == "a line of this very test"));
        assert!(!lines.iter().any(|line| line.text.contains("chatter")));
    }

    #[test]
    fn a_banner_stands_on_the_consoles_whole_and_nowhere_else() {
        let kept = Kept::default();
        let limiter = Mutex::new(Limiter::new(Instant::now()));
        let logger = Logger { out: Box::new(kept.clone()), limiter };
        for _ in 0..100 {
            says(&logger, BANNER, "http: http://10.10.10.1/ of this very banner");
        }
        assert_eq!(locked(&kept.0).len(), 100);
        assert!(!ring_after(0).0.iter().any(|line| line.text.contains("this very banner")));
    }
}
