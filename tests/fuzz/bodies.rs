//! What is tried with each input, and what must hold whatever it is. Shared by the fuzz
//! targets and by the test that runs what they have found.

#![allow(dead_code, reason = "each target runs one of them")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "../support/dhcp_reader.rs"]
mod dhcp_reader;
#[path = "../support/dhcp_room.rs"]
mod dhcp_room;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use pxeberry::dhcp::proxy::Door;
use pxeberry::dhcp::shape::Shape;
use pxeberry::dhcp::wire::{self, Reply};
use pxeberry::http::condition::{Conditions, Version};
use pxeberry::http::range::{Part, part};
use pxeberry::http::route::{Route, route};
use pxeberry::inventory::configs::ConfigKind;
use pxeberry::inventory::configs::reporting::{Reports, add};
use pxeberry::inventory::iso::{Iso, Source};
use pxeberry::inventory::{machine, profile};
use pxeberry::tftp::request::{Asked, parse};
use pxeberry::tftp::tree::Name;

use dhcp_reader::{Answer, longest_answer, must_be_refused, network_boots};
use dhcp_room::Room;

/// Several packets, each behind two bytes with its length: one after the other to one server,
/// as from one LAN. A second reader of packets has a say in each.
pub fn dhcp(data: &[u8]) {
    let mut room = Room::new();
    let peer = SocketAddrV4::new(Ipv4Addr::new(10, 10, 10, 120), 4011);
    for packet in packets(data) {
        let Ok(request) = wire::parse(packet) else { continue };
        assert_eq!(must_be_refused(packet), None, "it got through the gate");
        room.now += 7;
        let own = room.own().octets();
        let given = |reply: &Reply| {
            let bytes = wire::encode(reply);
            let answer = Answer::read(&bytes, packet, own);
            assert!(bytes.len() <= longest_answer(packet), "{} bytes", bytes.len());
            Ipv4Addr::from(answer.yiaddr)
        };
        if let Some(reply) = room.as_server(&request) {
            let address = given(&reply);
            let may_lend = room.config.server.local.subnet.can_lend(address);
            assert!(address.is_unspecified() || may_lend, "{address} is nobody's to give");
        }
        for door in [Door::Server(peer), Door::Proxy(peer)] {
            let Some(reply) = room.as_proxy(&request, door, Shape::InOffer) else { continue };
            assert!(network_boots(packet), "it does not boot from the network");
            assert!(given(&reply).is_unspecified(), "a proxy gives no addresses");
        }
    }
}

fn packets(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = data;
    std::iter::from_fn(move || {
        let ([high, low], rest) = left.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (packet, rest) = rest.split_at(length);
        left = rest;
        Some(packet)
    })
}

/// A packet to port 69. What the library gets says the same as what was asked, within limits.
pub fn tftp(data: &[u8]) {
    let Some(Asked::Read(request)) = parse(data) else { return };
    assert!(!request.name.contains('\0'));
    for window in [1, 4, 16] {
        let written = request.encode(window);
        let again = match parse(&written) {
            Some(Asked::Read(again)) => again,
            // U+FFFD is longer than the byte that it stands for.
            None if written.len() > 1024 => continue,
            other => panic!("{other:?}"),
        };
        assert_eq!(again.name, request.name);
        assert_eq!(again.encode(window), written, "it says the same when it is read again");
    }
    is_inside(&request.name);
}

/// A request target, as text or not. Whatever is decoded, no way up is left in what is
/// looked for.
pub fn http_route(data: &[u8]) {
    let target = String::from_utf8_lossy(data);
    match route(&target) {
        Route::OldImageFile(_, path)
        | Route::OldImageFileFor(_, _, path)
        | Route::CurrentImageFile(path)
        | Route::ImageFile(_, _, path)
        | Route::Iso(path) => {
            assert!(!path.split(['/', '\\']).any(|part| part == ".."), "{path:?}");
        }
        _ => {}
    }
    is_inside(&target);
}

/// A name is either none, or one that stays in the tree.
fn is_inside(asked: &str) {
    let Some(name) = Name::parse(asked) else { return };
    let path = name.path();
    let bad = |part: &str| part == ".." || part == "." || part.is_empty() || part.contains('\0');
    assert!(!path.split('/').any(bad), "{path:?}");
}

/// Eight bytes of size, then a line of `Range`, then one for each condition.
pub fn http_range(data: &[u8]) {
    let Some((size, text)) = data.split_first_chunk::<8>() else { return };
    let text = String::from_utf8_lossy(text);
    let size = u64::from_le_bytes(*size);
    let mut lines = text.split('\n');
    match part(lines.next(), size) {
        Part::Bytes(first, last) => assert!(first <= last && last < size, "{first}-{last}/{size}"),
        Part::Whole | Part::Unsatisfiable => {}
    }
    let version = Version { tag: "\"5-1\"".to_owned(), modified: size };
    let conditions = Conditions {
        matches: lines.next(),
        unmodified_since: lines.next(),
        none_matches: lines.next(),
        modified_since: lines.next(),
        range: lines.next(),
    };
    let _ = version.meets(&conditions);
}

/// An image. Whatever is found in it lies in it.
pub fn iso9660(data: &[u8]) {
    let Ok(iso) = Iso::open(Image(data)) else { return };
    let walked = iso.walk(&|_| true);
    for (path, extent) in &walked.files {
        let end = extent.offset.checked_add(extent.size).expect("an end");
        assert!(end <= data.len() as u64, "{path} ends behind the image");
        assert!(!path.split('/').any(|part| part == ".." || part.is_empty()), "{path:?}");
        let _ = iso.lookup(path);
    }
    let _ = iso.lookup("a/b");
}

struct Image<'a>(&'a [u8]);

impl Source for Image<'_> {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let begin = usize::try_from(offset).expect("an offset");
        let part = begin.checked_add(buffer.len()).and_then(|end| self.0.get(begin..end));
        buffer.copy_from_slice(part.expect("read outside of the image"));
        Ok(())
    }
}

/// A profile that a stick brings.
pub fn profiles(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match profile::read::parse("profiles/a.toml", &text) {
        Ok(profiles) => assert!(!profiles.is_empty()),
        Err(problem) => is_one_line(&problem.to_string()),
    }
}

/// `machines.toml`.
pub fn machines(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(problem) = machine::parse("machines.toml", &text) {
        is_one_line(&problem.to_string());
    }
}

/// `pxeberry.toml`.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(error) = pxeberry::config::parse(&text) {
        is_one_line(&error.to_string());
    }
}

/// The kinds of configurations that a report is added to.
pub const ENDING: [ConfigKind; 6] = [
    ConfigKind::Preseed,
    ConfigKind::Kickstart,
    ConfigKind::Autoinstall,
    ConfigKind::Ignition,
    ConfigKind::AutoYast,
    ConfigKind::Agama,
];

/// A byte for a kind of configuration, one for its installer, then its text. A report that is
/// added takes nothing away.
pub fn reports(data: &[u8]) {
    let Some(([kind, installer], text)) = data.split_first_chunk::<2>() else { return };
    let kind = ENDING[usize::from(*kind) % ENDING.len()];
    let text = String::from_utf8_lossy(text);
    let url =
        |event| format!("http://10.10.10.1:8080/v1/event?token=0123456789abcdef&event={event}");
    let reports = Reports {
        installed: url("installed"),
        failed: url("failed"),
        busybox: installer & 1 == 1,
        release: Some(u64::from(installer >> 1)),
    };
    let Ok(added) = add(kind, &text, &reports) else { return };
    assert!(added.contains("event=installed"), "nothing was added: {added}");
    // A quotation mark of the owner's takes five.
    assert!(added.len() <= 5 * text.len() + LONGEST_REPORT, "{} bytes", added.len());
    let mut rest = added.bytes();
    let is_there = |byte| rest.any(|one| one == byte);
    assert!(text.bytes().all(is_there), "something of the owner's is lost: {added}");
}

/// All that is ever added.
const LONGEST_REPORT: usize = 4096;

fn is_one_line(message: &str) {
    assert!(!message.trim().is_empty(), "an error without words");
    assert!(!message.contains('\n'), "{message:?}");
}
