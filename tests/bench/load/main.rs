//! The clients of `tests/bench/http`, `tests/bench/tftp` and `tests/bench/storm`, and the
//! cable between them and the servers. Each prints one line of `name=value` words.
//!
//!     load http ADDRESS:PORT PATH STREAMS SECONDS
//!     load tftp ADDRESS NAME BLKSIZE WINDOWSIZE CLIENTS SECONDS
//!     load storm INTERFACE MACHINES SECONDS
//!     load cable TAP TAP DELAY-IN-MICROSECONDS LOST-OF-1000

mod cable;
mod dhcp;
mod http;
mod storm;
#[path = "../../support/tap.rs"]
mod tap;
mod tftp;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

/// What went wrong, for a person.
pub type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["http", server, path, streams, seconds] => {
            http::load(number(server)?, path, number(streams)?, time(seconds)?)
        }
        ["tftp", server, name, block, window, clients, seconds] => {
            let options = tftp::Options { block: number(block)?, window: number(window)? };
            tftp::load(number(server)?, name, options, number(clients)?, time(seconds)?)
        }
        ["storm", interface, machines, seconds] => {
            storm::load(interface, number(machines)?, time(seconds)?)
        }
        ["cable", left, right, delay, lost] => {
            cable::run([left, right], Duration::from_micros(number(delay)?), number(lost)?)
        }
        _ => {
            Err("its words are not known; they stand at the top of tests/bench/load/main.rs".into())
        }
    }
}

fn number<T: FromStr>(word: &str) -> Result<T> {
    word.parse().map_err(|_| format!("{word:?} does not fit"))
}

fn time(word: &str) -> Result<Duration> {
    Duration::try_from_secs_f64(number(word)?).map_err(|error| format!("{word:?}: {error}"))
}

/// The address of each client: a server may hold one address to a few transfers.
pub fn address(client: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 67, 0, 1)) + client)
}

/// An error with what failed.
pub fn failed(what: &str) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{what}: {error}")
}
