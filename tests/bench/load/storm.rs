//! A room of machines that is switched on: each asks for an address, loads its loader by
//! TFTP, asks again as iPXE, and fetches its script, kernel and initrd by HTTP.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::dhcp::Room;
use super::{Result, http, tftp};

/// All are switched on within this.
const SWITCHED_ON: Duration = Duration::from_secs(1);

/// What EDK2 asks for.
const OPTIONS: tftp::Options = tftp::Options { block: 1468, window: 4 };

/// A loader is larger.
const SMALLEST_LOADER: u64 = 64 * 1024;

/// iPXE's script tries again for good; a machine that needs more than these has failed.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// Whatever happens, it ends.
pub fn load(interface: &str, machines: u16, most: Duration) -> Result<String> {
    let room = Arc::new(Room::on(interface)?);
    let begin = Instant::now();
    let (sender, ended) = std::sync::mpsc::channel();
    for machine in 0..machines {
        let (room, sender) = (Arc::clone(&room), sender.clone());
        let at = begin + SWITCHED_ON * u32::from(machine) / u32::from(machines);
        let lives = move || {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            let booted =
                boot(&room, machine, at).map(|(bytes, loader)| (bytes, loader, at.elapsed()));
            // The room was left already.
            let _ = sender.send(booted);
        };
        thread::Builder::new().stack_size(256 * 1024).spawn(lives).map_err(|e| e.to_string())?;
    }
    drop(sender);
    let (mut times, mut loaders, mut bytes) = (Vec::new(), Vec::new(), 0);
    let deadline = begin + most;
    while let Ok(one) = ended.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        match one {
            Ok((read, loader, time)) => {
                times.push(time);
                loaders.push(loader);
                bytes += read;
            }
            Err(error) => eprintln!("load: a machine: {error}"),
        }
    }
    let all = begin.elapsed();
    times.sort();
    loaders.sort();
    let of = |list: &[Duration], at: usize| list.get(at).map_or(0.0, Duration::as_secs_f64);
    let (middle, last) = (times.len() / 2, times.len().saturating_sub(1));
    Ok(format!(
        "reached={} bytes={bytes} seconds={:.3} loaders={:.3} median={:.3} slowest={:.3}",
        times.len(),
        all.as_secs_f64(),
        of(&loaders, middle),
        of(&times, middle),
        of(&times, last)
    ))
}

/// From the first DISCOVER to the last byte of the initrd: how many bytes that took, and how
/// long until the loader was there.
fn boot(room: &Room, machine: u16, begin: Instant) -> Result<(u64, Duration)> {
    let firmware = room.asks(machine, false)?;
    let (loader, whole) =
        tftp::fetch(firmware.address, firmware.server, &firmware.file, OPTIONS, None)?;
    if !whole || loader < SMALLEST_LOADER {
        return Err(format!("its loader {} has {loader} bytes", firmware.file));
    }
    let loaded = begin.elapsed();
    let ipxe = room.asks(machine, true)?;
    let script = fetch(ipxe.address, &ipxe.file)?;
    let text = String::from_utf8_lossy(&script.begin).into_owned();
    let urls: Vec<&str> = text.lines().filter_map(url).collect();
    if urls.len() != 2 {
        return Err(format!("its script loads no kernel and initrd: {text}"));
    }
    let mut bytes = loader + script.bytes;
    for url in urls {
        bytes += fetch(ipxe.address, url)?.bytes;
    }
    Ok((bytes, loaded))
}

/// What a line of the script loads.
fn url(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    matches!(words.next(), Some("kernel" | "initrd")).then_some(())?;
    words.find(|word| word.starts_with("http://"))
}

fn fetch(own: Ipv4Addr, url: &str) -> Result<http::Got> {
    let (server, path) = place(url).ok_or_else(|| format!("{url:?} is no URL"))?;
    let mut tried = 1;
    loop {
        match http::get(own, server, path, None) {
            Ok(got) => return Ok(got),
            Err(error) if tried == TRIES => return Err(error),
            Err(_) => {
                tried += 1;
                thread::sleep(PAUSE);
            }
        }
    }
}

fn place(url: &str) -> Option<(SocketAddrV4, &str)> {
    let rest = url.strip_prefix("http://")?;
    let slash = rest.find('/')?;
    let (host, path) = rest.split_at(slash);
    let server = host.parse().ok();
    let server = server.or_else(|| Some(SocketAddrV4::new(host.parse().ok()?, 80)));
    Some((server?, path))
}
