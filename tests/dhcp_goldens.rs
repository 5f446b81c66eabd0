//! The whole conversation with every kind of client, packet by packet, as text: what the
//! client says is made by the table of what its firmware or system sends, what we say is the
//! server's own bytes, read again by other code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/dhcp_corpus.rs"]
mod dhcp_corpus;
#[path = "support/dhcp_room.rs"]
mod dhcp_room;
#[path = "support/dhcp_text.rs"]
mod dhcp_text;
#[path = "support/golden.rs"]
mod golden;

use std::net::{Ipv4Addr, SocketAddrV4};

use dhcp_corpus::{Client, Message};
use dhcp_room::Room;
use golden::is_golden;
use pxeberry::dhcp::proxy::Door;
use pxeberry::dhcp::shape::Shape;
use pxeberry::dhcp::wire::{self, Reply};

/// From where clients without an address speak.
const NOWHERE: Door = Door::Server(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68));

/// From where firmware asks a second time.
const ASKER: Door = Door::Proxy(SocketAddrV4::new(Ipv4Addr::new(10, 10, 10, 120), 4011));

/// `iPXE EFI x64` as `ipxe-efi-x64`.
fn file_name(client: &Client) -> String {
    client.name.to_lowercase().replace(' ', "-")
}

fn asks(packet: &[u8]) -> String {
    format!("client: {}", dhcp_text::lines(packet))
}

fn answers(reply: Option<Reply>) -> String {
    match reply {
        Some(reply) => format!("pxeberry: {}\n", dhcp_text::lines(&wire::encode(&reply))),
        None => "pxeberry: silence\n\n".to_owned(),
    }
}

#[test]
fn as_the_dhcp_server_each_kind_of_client_is_told_just_what_its_golden_says() {
    for client in dhcp_corpus::clients() {
        let mut room = Room::new();
        let mut text = format!("# {}, where this box is the DHCP server\n\n", client.name);
        let mut address = dhcp_corpus::ADDRESS;
        for message in [Message::Discover, Message::Select, Message::Renew, Message::Inform] {
            let packet = client.says_of(message, address);
            let reply = room.as_server(&wire::parse(&packet).unwrap());
            if message == Message::Discover {
                address = reply.as_ref().expect("no offer").yiaddr.octets();
            }
            text += &asks(&packet);
            text += &answers(reply);
        }
        is_golden(&format!("dhcp/server/{}.txt", file_name(&client)), &text);
    }
}

#[test]
fn beside_another_server_each_kind_of_client_is_told_just_what_its_golden_says() {
    for client in dhcp_corpus::clients() {
        let room = Room::new();
        let mut text = format!("# {}, beside another DHCP server\n", client.name);
        for (title, message, door, shape) in [
            ("the first kind of offer", Message::Discover, NOWHERE, Shape::InOffer),
            ("the other kind of offer", Message::Discover, NOWHERE, Shape::OnAsking),
            ("on port 4011", Message::Renew, ASKER, Shape::InOffer),
            ("on port 4011, for a boot server", Message::BootServer, ASKER, Shape::InOffer),
        ] {
            let packet = client.says(message);
            let reply = room.as_proxy(&wire::parse(&packet).unwrap(), door, shape);
            text += &format!("\n## {title}\n\n{}", asks(&packet));
            text += answers(reply).trim_end();
            text += "\n";
        }
        is_golden(&format!("dhcp/proxy/{}.txt", file_name(&client)), &text);
    }
}
