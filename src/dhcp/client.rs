//! The other side: what a DHCP client sends, and what it reads from a server's answer.
//!
//! Two need it: the search for other servers ([`super::probe`]), and the appliance itself
//! where another server gives the addresses ([`super::lodger`]). Pure.

use std::net::Ipv4Addr;

use super::option;
use super::wire;
use super::{CLIENT_PORT, SERVER_PORT, Seconds};
use crate::net::Subnet;
use crate::net::packet::Datagram;

/// What a client says to all servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// DISCOVER: who gives addresses here?
    Discover,
    /// REQUEST, SELECTING: I take this server's offer of this address.
    Take(Ipv4Addr, Ipv4Addr),
    /// REQUEST, REBINDING: may I keep this address?
    Keep(Ipv4Addr),
}

/// A server's answer to our question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// OFFER, ACK or NAK.
    pub verdict: Verdict,
    /// The server's address: option 54, else the sender.
    pub server: Ipv4Addr,
    /// The address that is offered or granted.
    pub address: Ipv4Addr,
    /// Option 1.
    pub netmask: Option<Ipv4Addr>,
    /// Option 3, the first one.
    pub router: Option<Ipv4Addr>,
    /// Option 51.
    pub lease: Option<Seconds>,
    /// Option 58: when to ask for more time.
    pub renewal: Option<Seconds>,
}

/// What a server says to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// You could have this.
    Offer,
    /// You have this.
    Ack,
    /// You must not use that.
    Nak,
}

impl Answer {
    /// The granted address with its network; none for a mask or address that cannot be.
    pub fn subnet(&self) -> Option<Subnet> {
        let mask = u32::from(self.netmask?);
        let prefix = mask.leading_ones();
        let whole = mask.count_ones() == prefix;
        Subnet::new(self.address, u8::try_from(prefix).ok().filter(|_| whole)?).ok()
    }
}

/// The question in its IP packet, asking for a broadcast answer: we have no address yet.
pub fn ask(question: Question, client: [u8; 6], transaction: u32) -> Option<Vec<u8>> {
    let mut dhcp = vec![1, 1, 6, 0];
    dhcp.extend(transaction.to_be_bytes());
    dhcp.extend([0, 0, 0x80, 0]);
    let ciaddr = match question {
        Question::Keep(address) => address,
        Question::Discover | Question::Take(..) => Ipv4Addr::UNSPECIFIED,
    };
    dhcp.extend(ciaddr.octets());
    dhcp.resize(28, 0);
    dhcp.extend(client);
    dhcp.resize(236, 0);
    dhcp.extend([99, 130, 83, 99]);
    let kind = if question == Question::Discover { 1 } else { 3 };
    dhcp.extend([option::MESSAGE_TYPE, 1, kind]);
    if let Question::Take(server, address) = question {
        dhcp.extend([option::REQUESTED, 4]);
        dhcp.extend(address.octets());
        dhcp.extend([option::SERVER_ID, 4]);
        dhcp.extend(server.octets());
    }
    // Parameter request list: mask, router, name servers, lease, server.
    dhcp.extend([55, 5, 1, 3, 6, 51, 54, 255]);
    dhcp.resize(300, 0);
    let datagram = Datagram {
        from: (ciaddr, CLIENT_PORT),
        to: (Ipv4Addr::BROADCAST, SERVER_PORT),
        payload: &dhcp,
    };
    datagram.encode()
}

/// Reads an IP packet; none if it is no answer to this client's transaction.
pub fn answer(packet: &[u8], client: [u8; 6], transaction: u32) -> Option<Answer> {
    let datagram = Datagram::parse(packet)?;
    if datagram.from.1 != SERVER_PORT || datagram.to.1 != CLIENT_PORT {
        return None;
    }
    let reply = wire::parse_reply(datagram.payload)?;
    if reply.xid != transaction || reply.client != client {
        return None;
    }
    let options = &reply.options;
    let seconds = |code| options.address(code).map(|bytes| u64::from(u32::from(bytes)));
    let verdict = match options.get(option::MESSAGE_TYPE) {
        Some([2]) => Verdict::Offer,
        Some([5]) => Verdict::Ack,
        Some([6]) => Verdict::Nak,
        _ => return None,
    };
    let first_router = options.get(option::ROUTER).and_then(|data| data.first_chunk::<4>());
    Some(Answer {
        verdict,
        server: options.address(option::SERVER_ID).unwrap_or(datagram.from.0),
        address: reply.yiaddr,
        netmask: options.address(option::SUBNET_MASK),
        router: first_router.copied().map(Ipv4Addr::from),
        lease: seconds(option::LEASE),
        renewal: seconds(option::RENEW),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const CLIENT: [u8; 6] = [2, 0x50, 0, 0, 0, 1];

    /// An answer as a home router sends it.
    pub fn reply(transaction: u32, op: u8, kind: u8) -> Vec<u8> {
        let question = ask(Question::Discover, CLIENT, transaction).unwrap();
        let mut dhcp = Datagram::parse(&question).unwrap().payload.to_vec();
        dhcp[0] = op;
        dhcp[16..20].copy_from_slice(&[192, 168, 1, 77]);
        let options =
            [53, 1, kind, 54, 4, 192, 168, 1, 1, 1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 14, 16, 255];
        dhcp[240..240 + options.len()].copy_from_slice(&options);
        let from = (Ipv4Addr::new(192, 168, 1, 254), SERVER_PORT);
        let to = (Ipv4Addr::BROADCAST, CLIENT_PORT);
        Datagram { from, to, payload: &dhcp }.encode().unwrap()
    }

    #[test]
    fn an_answer_names_server_address_network_and_lease() {
        let found = answer(&reply(7, 2, 5), CLIENT, 7).unwrap();
        assert_eq!(found.verdict, Verdict::Ack);
        assert_eq!(found.server, Ipv4Addr::new(192, 168, 1, 1));
        assert_eq!(found.subnet().unwrap().to_string(), "192.168.1.77/24");
        assert_eq!(found.lease, Some(3600));
    }

    #[test]
    fn other_peoples_conversations_are_not_ours() {
        assert_eq!(answer(&reply(8, 2, 2), CLIENT, 7), None, "transaction");
        assert_eq!(answer(&reply(7, 1, 2), CLIENT, 7), None, "a question");
        assert_eq!(answer(&reply(7, 2, 2), [2; 6], 7), None, "another client");
        assert_eq!(answer(&reply(7, 2, 1), CLIENT, 7), None, "not a server's message");
    }

    #[test]
    fn a_server_that_writes_nonsense_behind_its_options_is_a_server_all_the_same() {
        let mut packet = reply(7, 2, 2);
        let end = packet.len() - 1;
        packet[20 + 8 + 240 + 21] = 0;
        packet[end - 1] = 200;
        packet[end] = 200;
        let datagram = Datagram::parse(&packet).unwrap();
        assert!(wire::parse_reply(datagram.payload).is_some());
        assert_eq!(answer(&packet, CLIENT, 7).unwrap().verdict, Verdict::Offer);
    }

    #[test]
    fn a_cut_answer_never_panics() {
        let whole = reply(7, 2, 2);
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length], CLIENT, 7), None);
        }
    }

    #[test]
    fn our_own_server_understands_our_own_client() {
        use super::super::wire::{self, Kind};
        let address = Ipv4Addr::new(10, 10, 10, 100);
        let server = Ipv4Addr::new(10, 10, 10, 1);
        for (question, kind) in [
            (Question::Discover, Kind::Discover),
            (Question::Take(server, address), Kind::Request),
            (Question::Keep(address), Kind::Request),
        ] {
            let packet = ask(question, CLIENT, 7).unwrap();
            let request = wire::parse(Datagram::parse(&packet).unwrap().payload).unwrap();
            assert_eq!(request.kind, kind);
            assert!(request.wants_broadcast());
            if question == Question::Keep(address) {
                assert_eq!((request.ciaddr, request.requested), (address, None));
            }
        }
    }
}
