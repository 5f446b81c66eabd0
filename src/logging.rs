//! Log lines for people: one line per event, to the console of the box or to stderr.
//!
//! Under PID 1 the lines go through the kernel's log (`/dev/kmsg`), which puts them on
//! every console (HDMI and serial) with the time since power-on, whole and in order.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};

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
        Ok(file) => install(Box::new(Kernel(file))),
        Err(_) => install(Box::new(Stderr)),
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// Counted from 1 since the start.
    pub number: u64,
    /// Seconds since it was written.
    pub ago: u64,
    /// `error`, `warning` or `info`.
    pub level: &'static str,
    /// What it says.
    pub text: String,
}

/// The lines that are kept with higher numbers than `after`, and the highest number.
pub fn ring_after(after: u64) -> (Vec<Line>, u64) {
    (Vec::new(), after)
}

/// On the appliance nobody sees what the standard library prints of a panic.
fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string().replace('\n', ": ");
        log::error!("a fault in this program, please report it: {text}");
    }));
}

fn install(logger: Box<dyn Log>) {
    tell_of_panics();
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok());
    if log::set_boxed_logger(logger).is_ok() {
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

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata) -> bool {
        wanted(metadata)
    }

    fn log(&self, record: &Record) {
        if wanted(record.metadata()) {
            let line = format!("pxeberry: {}{}\n", words(record.level()), record.args());
            // A log line that cannot be written has nowhere to be reported.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

struct Kernel(File);

impl Log for Kernel {
    fn enabled(&self, metadata: &Metadata) -> bool {
        wanted(metadata)
    }

    fn log(&self, record: &Record) {
        if !wanted(record.metadata()) {
            return;
        }
        // syslog priorities, facility "daemon" (3): notice and above reach the consoles.
        let priority = match record.level() {
            Level::Error => 3 << 3 | 3,
            Level::Warn => 3 << 3 | 4,
            Level::Info => 3 << 3 | 5,
            Level::Debug | Level::Trace => 3 << 3 | 7,
        };
        let mut line = format!("<{priority}>pxeberry: {}{}", words(record.level()), record.args());
        if line.len() > KMSG_LINE {
            line.truncate(line.floor_char_boundary(KMSG_LINE));
        }
        line.push('\n');
        let _ = (&self.0).write_all(line.as_bytes());
    }

    fn flush(&self) {}
}
