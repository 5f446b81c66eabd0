//! The whole conversation with every kind of client, packet by packet, as text: what the
//! client says is made by the table of what its firmware or system sends, or was recorded of
//! a real one; what we say is the server's own bytes, read again by other code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/dhcp_corpus.rs"]
mod dhcp_corpus;
#[path = "support/dhcp_packets.rs"]
mod dhcp_packets;
#[path = "support/dhcp_room.rs"]
mod dhcp_room;
#[path = "support/dhcp_text.rs"]
mod dhcp_text;
#[path = "support/golden.rs"]
mod golden;

use std::net::{Ipv4Addr, SocketAddrV4};

use dhcp_corpus::{Client, Message};
use dhcp_packets::{Conversation, Recorded};
use dhcp_room::Room;
use golden::is_golden;
use pxeberry::boot::arch::{Platform, Program, program};
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

#[test]
fn each_real_client_is_told_just_what_its_golden_says() {
    for conversation in dhcp_packets::conversations() {
        let Conversation { client, by, .. } = &conversation;
        let text = format!(
            "# {client}: recorded from {by}\n\n\
             ## where this box is the DHCP server\n\n{}\
             ## beside another DHCP server\n{}",
            told_by_a_server(&conversation),
            told_by_a_proxy(&conversation),
        );
        is_golden(&format!("dhcp/real/{client}.txt"), &text);
    }
}

/// The client talks about the address that it was offered here.
fn told_by_a_server(conversation: &Conversation) -> String {
    let (mut room, mut text) = (Room::new(), String::new());
    let mut address = dhcp_corpus::ADDRESS;
    for Recorded { name, bytes, .. } in conversation.packets.iter().filter(|it| !it.to_4011) {
        let packet = dhcp_packets::about(bytes, address, dhcp_corpus::SERVER);
        let reply = room.as_server(&wire::parse(&packet).unwrap());
        if name.ends_with("discover") {
            address = reply.as_ref().expect("no offer").yiaddr.octets();
        }
        text += &asks(&packet);
        text += &answers(reply);
    }
    text
}

/// Everybody's question is answered in both ways; port 4011 tells all that there is.
fn told_by_a_proxy(conversation: &Conversation) -> String {
    let (room, mut text) = (Room::new(), String::new());
    for Recorded { name, to_4011, bytes } in &conversation.packets {
        let request = wire::parse(bytes).unwrap();
        let of = |door, shape| answers(room.as_proxy(&request, door, shape)).trim_end().to_owned();
        if *to_4011 {
            text += &format!("\n{name}\n{}{}\n", asks(bytes), of(ASKER, Shape::InOffer));
            continue;
        }
        let (first, other) = (of(NOWHERE, Shape::InOffer), of(NOWHERE, Shape::OnAsking));
        text += &format!("\n{name}\n{first}\n");
        if other != first {
            text += &format!("or, in the other kind of offer,\n{other}\n");
        }
    }
    text
}

#[test]
fn each_real_client_is_taken_for_what_it_is() {
    use Platform::{Bios, Efi64, EfiArm64};
    use Program::{HttpRom, Ipxe, Other, Rom, UBoot};
    const KNOWN: [(&str, Program); 15] = [
        ("dhclient", Other),
        ("dhcpcd", Other),
        ("edk2-http-arm64", HttpRom(EfiArm64)),
        ("edk2-http-x64", HttpRom(Efi64)),
        ("edk2-pxe-arm64", Rom(EfiArm64)),
        ("edk2-pxe-x64", Rom(Efi64)),
        ("ipxe-arm64", Ipxe(EfiArm64)),
        ("ipxe-http-x64", Ipxe(Efi64)),
        ("ipxe-rom-bios", Ipxe(Bios)),
        ("ipxe-snponly-x64", Ipxe(Efi64)),
        ("ipxe-undionly-bios", Ipxe(Bios)),
        ("systemd-networkd", Other),
        ("u-boot-arm64", UBoot(EfiArm64)),
        // It calls itself what EDK2 does.
        ("u-boot-arm64-as-uefi", Rom(EfiArm64)),
        ("udhcpc", Other),
    ];
    let recorded = dhcp_packets::conversations();
    let clients: Vec<&str> = recorded.iter().map(|it| it.client.as_str()).collect();
    assert_eq!(clients, KNOWN.map(|(client, _)| client));
    for (conversation, (client, expected)) in recorded.iter().zip(KNOWN) {
        // Who gives something back only says who it is.
        let asks = |it: &&Recorded| it.name.contains("discover") || it.name.contains("request");
        for packet in conversation.packets.iter().filter(asks) {
            let found = program(&wire::parse(&packet.bytes).unwrap());
            assert_eq!(found, expected, "{client} {}", packet.name);
        }
    }
}

#[test]
fn the_table_of_clients_says_what_real_ones_say() {
    const PAIRS: [(&str, &str); 9] = [
        ("EDK2 PXE x64", "edk2-pxe-x64"),
        ("EDK2 PXE arm64", "edk2-pxe-arm64"),
        ("EDK2 HTTP x64", "edk2-http-x64"),
        ("EDK2 HTTP arm64", "edk2-http-arm64"),
        ("iPXE BIOS", "ipxe-undionly-bios"),
        ("iPXE EFI x64", "ipxe-http-x64"),
        ("U-Boot arm64", "u-boot-arm64"),
        ("systemd-networkd", "systemd-networkd"),
        ("udhcpc", "udhcpc"),
    ];
    let (clients, recorded) = (dhcp_corpus::clients(), dhcp_packets::conversations());
    for (made, real) in PAIRS {
        let made = clients.iter().find(|client| client.name == made).unwrap();
        let real = recorded.iter().find(|conversation| conversation.client == real).unwrap();
        for (at, message) in [Message::Discover, Message::Select].into_iter().enumerate() {
            let of_both = [&made.says(message), &real.packets[at].bytes].map(|bytes| shape(bytes));
            assert_eq!(of_both[0], of_both[1], "{} {message:?}", made.name);
        }
    }
}

/// Whether it wants a broadcast answer, and code and length of each option, whatever their
/// order. A machine's name and client identifier are as somebody set them up.
fn shape(packet: &[u8]) -> (bool, Vec<(u8, usize)>) {
    let mut options: Vec<(u8, usize)> = dhcp_text::options(packet)
        .filter(|(code, _)| !matches!(code, 12 | 61))
        .map(|(code, data)| (code, data.len()))
        .collect();
    options.sort_unstable();
    (packet[10] & 0x80 != 0, options)
}
