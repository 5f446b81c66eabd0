use super::*;

/// A DISCOVER as SeaBIOS with iPXE sends it, less what we do not read.
pub fn discover(mac: [u8; 6]) -> Vec<u8> {
    packet(1, mac, &[])
}

pub fn packet(kind: u8, mac: [u8; 6], options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut packet = vec![1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef];
    packet.resize(28, 0);
    packet.extend(mac);
    packet.resize(236, 0);
    packet.extend(MAGIC_COOKIE);
    packet.extend([53, 1, kind]);
    for (code, data) in options {
        packet.extend([*code, u8::try_from(data.len()).unwrap()]);
        packet.extend(*data);
    }
    packet.push(END);
    packet
}

const MAC: [u8; 6] = [0x52, 0x54, 0, 0, 0, 1];

fn reply() -> Reply {
    Reply {
        kind: Kind::Offer,
        mac: Mac::new(MAC).unwrap(),
        xid: 7,
        flags: BROADCAST_FLAG,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::new(10, 10, 10, 100),
        siaddr: Ipv4Addr::new(10, 10, 10, 1),
        giaddr: Ipv4Addr::UNSPECIFIED,
        file: "undionly.kpxe".to_owned(),
        options: vec![(option::SERVER_ID, vec![10, 10, 10, 1])],
        max_size: 548,
    }
}

#[test]
fn the_options_that_matter_are_read() {
    let bytes = packet(
        3,
        MAC,
        &[(50, &[10, 10, 10, 100]), (54, &[10, 10, 10, 1]), (60, b"PXEClient"), (93, &[0, 7])],
    );
    let request = parse(&bytes).unwrap();
    assert_eq!(request.kind, Kind::Request);
    assert_eq!(request.requested, Some(Ipv4Addr::new(10, 10, 10, 100)));
    assert_eq!(request.server_id, Some(Ipv4Addr::new(10, 10, 10, 1)));
    assert_eq!(request.vendor_class, b"PXEClient");
    assert_eq!(request.arch, Some(7));
    assert_eq!(request.xid, 0xdead_beef);
}

#[test]
fn the_gate_refuses_what_the_library_would_trip_over() {
    let good = discover(MAC);
    let with = |index: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[index] = value;
        parse(&bytes)
    };
    assert_eq!(with(2, 17), Err(Malformed::Hardware), "hlen 17");
    assert_eq!(with(2, 255), Err(Malformed::Hardware), "hlen 255");
    assert_eq!(with(28, 0xff), Err(Malformed::Hardware), "multicast client");
    assert_eq!(with(0, 2), Err(Malformed::NotDhcp), "a reply");
    assert_eq!(with(236, 0), Err(Malformed::NotDhcp), "cookie");
    assert_eq!(with(3, 17), Err(Malformed::Hops));
    assert_eq!(with(241, 200), Err(Malformed::Overrun));
    assert_eq!(with(242, 9), Err(Malformed::MessageType));
    assert_eq!(parse(&good[..239]), Err(Malformed::Size));
}

#[test]
fn two_message_types_are_refused() {
    assert_eq!(parse(&packet(1, MAC, &[(53, &[3])])), Err(Malformed::MessageType));
}

#[test]
fn options_may_stand_where_the_file_name_would() {
    let mut bytes = packet(1, MAC, &[(52, &[3])]);
    bytes[108..113].copy_from_slice(&[93, 2, 0, 7, END]);
    bytes[44..49].copy_from_slice(&[60, 2, b'P', b'X', END]);
    let request = parse(&bytes).unwrap();
    assert_eq!((request.arch, request.vendor_class.as_slice()), (Some(7), &b"PX"[..]));
    bytes[109] = 200;
    assert_eq!(parse(&bytes), Err(Malformed::Overrun));
}

#[test]
fn a_relay_says_where_the_client_is_and_who_we_shall_be() {
    let info = [5, 4, 10, 20, 0, 0, 11, 4, 10, 20, 0, 1];
    let mut bytes = packet(1, MAC, &[(82, &info), (118, &[10, 9, 9, 0])]);
    let request = parse(&bytes).unwrap();
    assert_eq!((request.link, request.server_override), (None, None), "no relay said it");
    bytes[24..28].copy_from_slice(&[10, 20, 0, 1]);
    let request = parse(&bytes).unwrap();
    assert_eq!(request.link, Some(Ipv4Addr::new(10, 20, 0, 0)), "the relay knows better");
    assert_eq!(request.server_override, Some(Ipv4Addr::new(10, 20, 0, 1)));
    assert_eq!(request.relay_info, Some(info.to_vec()));
}

#[test]
fn a_cut_packet_never_panics() {
    let good = packet(1, MAC, &[(93, &[0, 7]), (97, &[0; 17]), (175, &[0xb0, 1, 1])]);
    for length in 0..good.len() {
        let _ = parse(&good[..length]);
    }
}

#[test]
fn a_reply_carries_file_server_and_options_and_is_never_short() {
    let bytes = encode(&reply());
    assert_eq!(bytes.len(), 300);
    assert_eq!(bytes[0], 2);
    assert_eq!(&bytes[16..24], [10, 10, 10, 100, 10, 10, 10, 1]);
    assert_eq!(&bytes[44..55], b"10.10.10.1\0");
    assert_eq!(&bytes[108..122], b"undionly.kpxe\0");
    assert_eq!(&bytes[236..249], [99, 130, 83, 99, 53, 1, 2, 54, 4, 10, 10, 10, 1]);
    assert_eq!(bytes[249], END);
}

#[test]
fn a_long_option_is_sent_in_parts_that_the_reader_joins() {
    let mut reply = reply();
    reply.max_size = 1472;
    reply.options.push((option::RELAY_INFO, vec![7; 300]));
    let bytes = encode(&reply);
    let mut options = Options::default();
    options.add(&bytes[HEADER..]).unwrap();
    assert_eq!(options.get(option::RELAY_INFO), Some(&[7; 300][..]));
}

#[test]
fn a_reply_never_exceeds_what_the_client_takes() {
    let mut reply = reply();
    reply.options = (0..10).map(|code| (code + 100, vec![1; 200])).collect();
    assert!(encode(&reply).len() <= 548);
}
