//! Beside another DHCP server: firmware that ignores the boot file in an offer is offered it
//! in the other way, and what it took is remembered. The firmware is crafted: of the real
//! ones that can be had as a program none is so choosy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::net::UdpSocket;

use net::lan::SERVER;
use net::{Appliance, Ask, Firmware, Heard, Kind, Machine, Server, isolated};

const MAC: &str = "52:54:00:00:00:41";

/// A proxy, whether another server is there or not.
fn proxy() -> (Appliance, Server) {
    let appliance = Appliance::new("proxy", "");
    let server = works(&appliance);
    (appliance, server)
}

fn works(appliance: &Appliance) -> Server {
    let server = appliance.starts();
    server.log.wait_for("beside the DHCP server that gives the addresses");
    server
}

fn discover(machine: &Machine) -> Ask {
    Ask::new(Kind::Discover, machine.mac).with(&Firmware::EfiX64.options()).broadcast(true)
}

/// A boot that starts anew: the file of the offer, and whether "ask nobody" stands in it.
fn boots(machine: &Machine) -> (String, bool) {
    shape(&machine.port.ask(&discover(machine)).expect("no offer"))
}

fn shape(offer: &Heard) -> (String, bool) {
    assert!(offer.yiaddr.is_unspecified(), "{offer:?}");
    assert_eq!((offer.siaddr, offer.option(60)), (SERVER, Some(&b"PXEClient"[..])));
    (offer.file.clone(), offer.option(43).is_some())
}

fn in_offer() -> (String, bool) {
    ("snponly.efi".to_owned(), true)
}

fn on_asking() -> (String, bool) {
    (String::new(), false)
}

/// Asks on port 4011, as firmware does that was made to; the boot file that it is told.
fn asks_on_port_4011(machine: &Machine) -> String {
    let request = Ask::new(Kind::Request, machine.mac).from(machine.address());
    let frame = request.with(&Firmware::EfiX64.options()).frame();
    machine.namespace.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:4011").unwrap();
        socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
        // The DHCP message is what stands behind Ethernet, IP and UDP.
        socket.send_to(&frame[14 + 20 + 8..], (SERVER, 4011)).unwrap();
        let mut answer = [0; 1500];
        let (length, from) = socket.recv_from(&mut answer).expect("silence on port 4011");
        assert_eq!(from, (SERVER, 4011).into());
        let file = answer[108..length].split(|byte| *byte == 0).next().unwrap();
        String::from_utf8(file.to_vec()).unwrap()
    })
}

#[test]
fn firmware_that_ignores_the_file_in_the_offer_is_made_to_ask_and_remembered() {
    isolated(|lan| {
        let machine = lan.machine(MAC);
        let (appliance, server) = proxy();
        machine.use_address("10.10.10.215".parse().unwrap());
        assert_eq!(boots(&machine), in_offer());
        // It tried its other devices, and starts anew.
        assert_eq!(boots(&machine), on_asking());
        server.log.wait_for("nothing followed our offer; trying the other kind of offer");
        assert_eq!(asks_on_port_4011(&machine), "snponly.efi");
        let line = server.log.wait_for("asks on port 4011 instead");
        assert!(line.contains(MAC), "{line}");
        assert_eq!(boots(&machine), on_asking());
        let page = String::from_utf8(machine.get("/")).unwrap();
        let words = "ignored a boot file in our offer, asks on port 4011 instead, and loads it";
        assert!(page.contains(&format!("{MAC}</span></div><div></div><div>{words}")), "{page}");
        // The power is cut.
        server.dies();
        let _server = works(&appliance);
        assert_eq!(boots(&machine), on_asking());
    });
}

#[test]
fn a_question_that_is_repeated_a_second_time_is_answered_the_other_way() {
    isolated(|lan| {
        let machine = lan.machine(MAC);
        let (_appliance, _server) = proxy();
        let question = discover(&machine);
        let answers = [(); 4].map(|()| shape(&machine.port.ask(&question).expect("no offer")));
        assert_eq!(answers, [in_offer(), in_offer(), on_asking(), on_asking()]);
    });
}

#[test]
fn firmware_that_loads_its_file_is_offered_it_in_the_same_way_ever_after() {
    isolated(|lan| {
        let machine = lan.machine(MAC);
        let (_appliance, server) = proxy();
        machine.use_address("10.10.10.215".parse().unwrap());
        for _ in 0..3 {
            assert_eq!(boots(&machine), in_offer());
            machine.tftp("snponly.efi").unwrap();
            // Else it would be a loader that does not run, and another one's turn.
            let ipxe = Ask::new(Kind::Discover, machine.mac).with(&Firmware::IpxeEfiX64.options());
            machine.port.ask(&ipxe).expect("no offer");
        }
        server.log.wait_for("loads the boot file that our offer names");
        assert_eq!(server.log.count("nothing followed"), 0);
    });
}

#[test]
fn ipxe_proves_that_its_firmware_took_what_it_was_offered() {
    isolated(|lan| {
        let machine = lan.machine(MAC);
        let (_appliance, server) = proxy();
        assert_eq!(boots(&machine), in_offer());
        let ipxe = Ask::new(Kind::Discover, machine.mac).with(&Firmware::IpxeEfiX64.options());
        machine.port.ask(&ipxe).expect("no offer");
        server.log.wait_for("loads the boot file that our offer names");
        assert_eq!(boots(&machine), in_offer());
    });
}
