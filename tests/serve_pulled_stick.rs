//! A stick is pulled under running downloads, again and again: what looks complete is.
//!
//! A folder plays the stick. It is pulled by moving it away and cutting off all its files: who
//! has one open reads to its new end and then fails, as the kernel fails the reads of a device
//! that is gone. (The emulated appliance has a real one pulled, in `tests/emulated`.)

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/chance.rs"]
mod chance;
#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chance::{Random, rounds, seed};
use net::lan::SERVER;
use net::stick::{INITRD, NODE_1};
use net::{Appliance, isolated};

const DOWNLOADS: usize = 10;

/// Of the downloads, these go by TFTP.
const BY_TFTP: usize = 3;

/// Large enough that no socket holds the whole of it.
const SIZE: usize = 8 * 1024 * 1024;

const URL: &str = "/boot/coreos_production_pxe_image.cpio.gz";

/// What one download ended as.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Whole(Vec<u8>),
    Cut,
}

/// By HTTP: whole only if as many bytes came as were promised.
fn http(got: &AtomicUsize) -> End {
    use std::io::{Read, Write};
    let to = SocketAddrV4::new(SERVER, 8080).into();
    let mut stream = std::net::TcpStream::connect_timeout(&to, net::PATIENCE).unwrap();
    stream.set_read_timeout(Some(net::PATIENCE)).unwrap();
    let request = format!("GET {URL} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 64 * 1024]);
    loop {
        let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
        if head.is_some_and(|head| answer.len() >= head + 4 + SIZE) {
            return End::Whole(answer.split_off(head.unwrap() + 4));
        }
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => {
                answer.extend(&buffer[..length]);
                got.fetch_add(length, Ordering::Relaxed);
            }
            // Closed, or reset: not what was promised. Or a refusal.
            Ok(_) => return End::Cut,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return End::Cut,
            Err(error) => panic!("the server neither sends nor closes: {error}"),
        }
    }
}

/// By TFTP: whole only with a last block that is not full.
fn tftp(got: &AtomicUsize) -> End {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
    let request = format!("\0\u{1}{INITRD}\0octet\0blksize\x001468\0windowsize\x0016\0");
    socket.send_to(request.as_bytes(), (SERVER, 69)).unwrap();
    let (mut file, mut next, mut buffer) = (Vec::new(), 1_u16, [0; 2048]);
    loop {
        let (length, from) = socket.recv_from(&mut buffer).expect("no answer by TFTP");
        let block = u16::from_be_bytes([buffer[2], buffer[3]]);
        match buffer[1] {
            6 => drop(socket.send_to(&[0, 4, 0, 0], from)),
            3 if block == next => {
                file.extend(&buffer[4..length]);
                got.fetch_add(length, Ordering::Relaxed);
                next = next.wrapping_add(1);
                let last = length < 4 + 1468;
                if last || block % 16 == 0 {
                    let [high, low] = block.to_be_bytes();
                    socket.send_to(&[0, 4, high, low], from).unwrap();
                }
                if last {
                    return End::Whole(file);
                }
            }
            3 => {
                let [high, low] = next.wrapping_sub(1).to_be_bytes();
                socket.send_to(&[0, 4, high, low], from).unwrap();
            }
            _ => return End::Cut,
        }
    }
}

#[test]
fn no_download_looks_complete_that_is_not_and_nothing_leaks() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let mut stick = appliance.sample_stick();
        let file = format!("images/coreos/1185.3.0/{INITRD}");
        let content: Vec<u8> = {
            let mut random = Random::new(7);
            std::iter::repeat_with(|| random.next().to_le_bytes()).flatten().take(SIZE).collect()
        };
        stick.write(&file, &content);
        let mut server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.use_address(Ipv4Addr::new(10, 10, 10, 9));
        let (plugged, pulled) = (stick.folder().to_owned(), Path::new("/run/pulled"));
        // The first reads open what is kept: a timer's descriptor, a thread's.
        machine
            .namespace
            .inside(|| assert_eq!(tftp(&AtomicUsize::new(0)), End::Whole(content.clone())));
        let rest = settled(&server, 0);
        let (mut whole, mut cut, mut random) = (0, 0, Random::new(seed()));
        for round in 1..=rounds(12, 100) {
            let got = AtomicUsize::new(0);
            let pull_at = random.below(DOWNLOADS * SIZE * 11 / 10);
            let ends: Vec<End> = std::thread::scope(|scope| {
                let (got, namespace) = (&got, &machine.namespace);
                let downloads: Vec<_> = (0..DOWNLOADS)
                    .map(|number| {
                        let by_tftp = number < BY_TFTP;
                        let load = move || if by_tftp { tftp(got) } else { http(got) };
                        scope.spawn(move || namespace.inside(load))
                    })
                    .collect();
                while got.load(Ordering::Relaxed) < pull_at
                    && !downloads.iter().all(|download| download.is_finished())
                {
                    // The downloads' progress makes no event for this thread.
                    std::thread::sleep(Duration::from_micros(200));
                }
                stick = std::mem::replace(&mut stick, net::Stick::empty(Path::new("/run/none")))
                    .moved_to(pulled);
                stick.write(&file, "");
                downloads.into_iter().map(|download| download.join().unwrap()).collect()
            });
            for end in ends {
                match end {
                    End::Cut => cut += 1,
                    End::Whole(bytes) => {
                        assert!(bytes == content, "round {round}: whole, and wrong");
                        whole += 1;
                    }
                }
            }
            // The stick comes back.
            stick.write(&file, &content);
            stick = stick.moved_to(&plugged);
            server.hangup();
            server.log.wait_for_nth(" read: ", round as usize + 1);
            assert!(server.runs());
            let open = settled(&server, rest);
            assert!(open <= rest, "round {round}: {open} descriptors, {rest} at first");
        }
        println!("measured: {whole} downloads whole, {cut} cut; {rest} descriptors at the end");
        assert!(whole > 0 && cut > 0, "pulled too early or too late");
        assert!(fs::read(plugged.join(&file)).unwrap() == content);
    });
}

/// Descriptors when nothing runs any more: TFTP gives a client four seconds. At most `enough`
/// are as few as are needed.
fn settled(server: &net::Server, enough: usize) -> usize {
    let patience = if enough == 0 { Duration::from_secs(6) } else { net::PATIENCE };
    let (mut least, end) = (server.descriptors(), Instant::now() + patience);
    while Instant::now() < end && least > enough {
        std::thread::sleep(Duration::from_millis(20));
        least = least.min(server.descriptors());
    }
    least
}
