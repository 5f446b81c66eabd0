use std::str::FromStr;

use domain::base::iana::{Class, Rtype};
use domain::base::{Message, MessageBuilder, ToName};

use super::*;
use crate::mdns::record::Name;

const PAGE: &str = "pxeberry._http._tcp.local";
const ASKER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 10, 10, 50), PORT);
const MS: Duration = Duration::from_millis(1);

fn subnet(text: &str) -> Option<Subnet> {
    Some(text.parse().unwrap())
}

/// A responder with a clock that jumps from one thing that is due to the next.
struct Host {
    responder: Responder,
    now: Instant,
}

impl Host {
    fn at(address: &str, seed: u64) -> Host {
        let mut it = Host { responder: Responder::new("pxeberry", 80, seed), now: Instant::now() };
        assert_eq!(it.responder.is_at(subnet(address), it.now), None);
        it
    }

    fn settled(address: &str) -> Host {
        let mut it = Host::at(address, 7);
        it.passes(Duration::from_secs(10));
        assert_eq!(it.name(), "pxeberry.local");
        it
    }

    fn name(&self) -> String {
        self.responder.name().unwrap_or_default()
    }

    /// What it says meanwhile, and after how many milliseconds.
    fn passes(&mut self, time: Duration) -> Vec<(u64, Packet)> {
        let (start, end) = (self.now, self.now + time);
        let mut said = Vec::new();
        while let Some(next) = self.responder.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            let after = u64::try_from((self.now - start).as_millis()).unwrap();
            said.extend(self.responder.due(self.now).into_iter().map(|packet| (after, packet)));
            assert!(said.len() < 100, "it never ends");
        }
        self.now = end;
        said
    }

    fn hears(&mut self, packet: &[u8]) -> (Option<Packet>, Option<Renamed>) {
        self.responder.hears(packet, ASKER, self.now)
    }
}

fn question(name: &str, kind: Rtype, class: u16) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec().question();
    let name = Name::from_str(name).unwrap();
    builder.push((name, kind, Class::from_int(class))).unwrap();
    builder.finish()
}

/// Each record that a packet says: `name kind ttl`, those beside the answers with a `+`.
fn said(packet: &Packet) -> Vec<String> {
    let message = Message::from_octets(packet.bytes.as_slice()).unwrap();
    let text = |sign: &str, record: domain::base::record::ParsedRecord<'_, &[u8]>| {
        let name = record.owner().to_vec();
        format!("{sign}{name} {} {}", record.rtype(), record.ttl().as_secs())
    };
    let answers = message.answer().unwrap().map(|record| text("", record.unwrap()));
    let more = message.additional().unwrap().map(|record| text("+", record.unwrap()));
    answers.chain(more).collect()
}

fn records(address: &str) -> Records {
    Records::new("pxeberry", subnet(address).unwrap().address(), 80).unwrap()
}

fn answer_of(address: &str, answers: Set, ttl: u32) -> Vec<u8> {
    let records = records(address);
    message::answer(Said { records: &records, answers, more: Set::default(), ttl }).unwrap()
}

#[test]
fn a_name_is_asked_for_three_times_and_announced_three_times() {
    let mut it = Host::at("10.10.10.1/24", 7);
    assert_eq!(it.responder.name(), None);
    let heard = it.passes(Duration::from_secs(60));
    assert_eq!(heard.len(), 6);
    for (pair, expected) in heard.windows(2).zip([250, 250, 250, 1_000, 1_000]) {
        assert_eq!(pair[1].0 - pair[0].0, expected);
    }
    assert!(heard.iter().all(|(_, packet)| packet.to.is_none()));
    let probe = Message::from_octets(heard[0].1.bytes.as_slice()).unwrap();
    assert!(!probe.header().qr());
    assert_eq!(probe.header_counts().qdcount(), 2);
    assert_eq!(probe.header_counts().nscount(), 3);
    let announced = said(&heard[3].1);
    for record in [
        "pxeberry.local A 120",
        "_http._tcp.local PTR 4500",
        "pxeberry._http._tcp.local SRV 120",
        "pxeberry._http._tcp.local TXT 4500",
        "_services._dns-sd._udp.local PTR 4500",
        "pxeberry.local NSEC 120",
    ] {
        assert!(announced.iter().any(|line| line == record), "{record}: {announced:#?}");
    }
    assert_eq!(it.name(), "pxeberry.local");
}

#[test]
fn nothing_is_answered_without_an_address_or_before_the_name_is_ours() {
    let ask = question("pxeberry.local", Rtype::A, 1);
    let mut nowhere = Host { responder: Responder::new("pxeberry", 80, 1), now: Instant::now() };
    assert_eq!(nowhere.hears(&ask), (None, None));
    assert_eq!(nowhere.passes(Duration::from_secs(60)), []);
    let mut asking = Host::at("10.10.10.1/24", 7);
    asking.passes(300 * MS);
    assert_eq!(asking.hears(&ask), (None, None));
    let rest = asking.passes(400 * MS);
    let is_probe = |(_, packet): &(u64, Packet)| packet.bytes[2] & 0x80 == 0;
    assert!(rest.iter().all(is_probe), "{rest:?}");
}

#[test]
fn the_host_is_answered_at_once_and_the_service_after_a_while_with_the_way_to_it() {
    let mut it = Host::settled("10.10.10.1/24");
    assert_eq!(it.hears(&question("PXEBERRY.local", Rtype::A, 1)), (None, None));
    let heard = it.passes(Duration::from_secs(1));
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].0, 0);
    assert_eq!(said(&heard[0].1), ["pxeberry.local A 120", "+pxeberry.local NSEC 120"]);
    it.passes(Duration::from_secs(5));
    it.hears(&question("_http._tcp.local", Rtype::PTR, 1));
    let heard = it.passes(Duration::from_secs(1));
    assert_eq!(heard.len(), 1);
    assert!((20..120).contains(&heard[0].0), "{}", heard[0].0);
    assert_eq!(said(&heard[0].1).len(), 5);
    assert_eq!(said(&heard[0].1)[0], "_http._tcp.local PTR 4500");
    assert!(said(&heard[0].1).contains(&format!("+{PAGE} SRV 120")));
}

#[test]
fn who_asks_for_an_ipv6_address_is_told_that_there_is_none() {
    let mut it = Host::settled("10.10.10.1/24");
    it.hears(&question("pxeberry.local", Rtype::AAAA, 1));
    let heard = it.passes(Duration::from_secs(1));
    assert_eq!(said(&heard[0].1), ["pxeberry.local NSEC 120"]);
}

#[test]
fn a_record_goes_to_all_once_a_second_however_often_it_is_asked_for() {
    let mut it = Host::settled("10.10.10.1/24");
    let ask = question("pxeberry.local", Rtype::A, 1);
    let mut count = 0;
    for _ in 0..5_000 {
        it.hears(&ask);
        count += it.passes(MS).len();
    }
    assert!((5..=6).contains(&count), "{count} answers in five seconds");
}

#[test]
fn what_is_known_is_not_said_again_unless_it_is_forgotten_soon() {
    for (ttl, expected) in [(120, 0), (60, 0), (59, 1)] {
        let mut it = Host::settled("10.10.10.1/24");
        let mut builder = MessageBuilder::new_vec().question();
        let name = Name::from_str("pxeberry.local").unwrap();
        builder.push((&name, Rtype::A)).unwrap();
        let mut builder = builder.answer();
        let known = domain::rdata::A::from_octets(10, 10, 10, 1);
        builder.push((&name, Class::IN, ttl, known)).unwrap();
        it.hears(&builder.finish());
        assert_eq!(it.passes(Duration::from_secs(2)).len(), expected, "{ttl}");
    }
}

#[test]
fn one_who_wants_to_be_answered_alone_is_and_all_hear_it_when_it_is_long_ago() {
    let mut it = Host::settled("10.10.10.1/24");
    let ask = question("pxeberry.local", Rtype::A, 0x8001);
    let (packet, _) = it.hears(&ask);
    let packet = packet.unwrap();
    assert_eq!(packet.to, Some(ASKER));
    assert_eq!(said(&packet), ["pxeberry.local A 120", "+pxeberry.local NSEC 120"]);
    assert_eq!(it.passes(Duration::from_secs(2)), [], "all have heard it a moment ago");
    it.passes(Duration::from_secs(30));
    assert!(it.hears(&ask).0.is_some());
    assert_eq!(it.passes(Duration::from_secs(2)).len(), 1);
}

#[test]
fn a_plain_resolver_is_answered_with_its_number_and_question_and_for_a_short_time() {
    let mut it = Host::settled("10.10.10.1/24");
    let mut ask = question("pxeberry.local", Rtype::A, 1);
    ask[0..2].copy_from_slice(&[0x12, 0x34]);
    let from = SocketAddrV4::new(*ASKER.ip(), 40_000);
    let (packet, _) = it.responder.hears(&ask, from, it.now);
    let packet = packet.unwrap();
    assert_eq!(packet.to, Some(from));
    assert_eq!(said(&packet), ["pxeberry.local A 10", "+pxeberry.local NSEC 10"]);
    let message = Message::from_octets(packet.bytes.as_slice()).unwrap();
    assert_eq!(message.header().id(), 0x1234);
    assert_eq!(message.header_counts().qdcount(), 1);
    let record = message.answer().unwrap().next().unwrap().unwrap();
    assert_eq!(record.class(), Class::IN, "no bit that it does not know");
    assert_eq!(it.passes(Duration::from_secs(2)), []);
}

#[test]
fn nobody_outside_the_network_is_answered_alone_and_nobody_without_end() {
    let mut it = Host::settled("10.10.10.1/24");
    let ask = question("pxeberry.local", Rtype::A, 1);
    for far in [[192, 168, 1, 5], [10, 10, 10, 255], [8, 8, 8, 8], [0, 0, 0, 0]] {
        let from = SocketAddrV4::new(Ipv4Addr::from(far), 40_000);
        assert_eq!(it.responder.hears(&ask, from, it.now), (None, None), "{from}");
    }
    let from = SocketAddrV4::new(*ASKER.ip(), 40_000);
    let answers = (0..10_000).filter(|_| it.responder.hears(&ask, from, it.now).0.is_some());
    assert_eq!(answers.count(), MOST_ALONE as usize);
    it.now += Duration::from_secs(1);
    assert!(it.responder.hears(&ask, from, it.now).0.is_some());
}

#[test]
fn a_name_that_is_taken_is_left_to_whoever_has_it() {
    let mut it = Host::at("10.10.10.1/24", 7);
    it.passes(300 * MS);
    let taken = answer_of("10.10.10.7/24", Set::of(&[Which::Address]), 120);
    let (_, renamed) = it.hears(&taken);
    let expected = Renamed {
        from: "pxeberry.local".to_owned(),
        to: "pxeberry-2.local".to_owned(),
        by: *ASKER.ip(),
    };
    assert_eq!(renamed, Some(expected));
    it.passes(Duration::from_secs(10));
    assert_eq!(it.name(), "pxeberry-2.local");
    it.hears(&question("pxeberry.local", Rtype::A, 1));
    assert_eq!(it.passes(Duration::from_secs(2)), []);
    it.hears(&question("pxeberry-2._http._tcp.local", Rtype::SRV, 1));
    assert_eq!(it.passes(Duration::from_secs(2)).len(), 1);
    // On another LAN it may be free.
    it.responder.is_at(None, it.now);
    it.responder.is_at(subnet("192.168.1.5/24"), it.now);
    it.passes(Duration::from_secs(10));
    assert_eq!(it.name(), "pxeberry.local");
}

#[test]
fn what_is_our_own_or_taken_back_is_no_conflict() {
    for packet in [
        answer_of("10.10.10.1/24", Set::WHOLE, 120),
        answer_of("10.10.10.7/24", Set::WHOLE, 0),
        answer_of("10.10.10.7/24", Set::of(&[Which::Catalogue, Which::HostHas]), 120),
    ] {
        let mut it = Host::at("10.10.10.1/24", 7);
        it.passes(300 * MS);
        assert_eq!(it.hears(&packet), (None, None));
        it.passes(Duration::from_secs(10));
        it.hears(&packet);
        assert_eq!(it.name(), "pxeberry.local");
    }
}

#[test]
fn who_contradicts_us_later_makes_us_ask_again_and_loses_if_he_is_silent() {
    let mut it = Host::settled("10.10.10.1/24");
    let other = answer_of("10.10.10.7/24", Set::of(&[Which::Address]), 120);
    assert_eq!(it.hears(&other), (None, None));
    assert_eq!(it.responder.name(), None);
    it.passes(Duration::from_secs(10));
    assert_eq!(it.name(), "pxeberry.local", "he has gone");
    it.hears(&other);
    it.passes(100 * MS);
    assert!(it.hears(&other).1.is_some(), "he has it");
    it.passes(Duration::from_secs(10));
    assert_eq!(it.name(), "pxeberry-2.local");
}

#[test]
fn an_answer_from_another_port_is_none() {
    let mut it = Host::at("10.10.10.1/24", 7);
    let taken = answer_of("10.10.10.7/24", Set::WHOLE, 120);
    let from = SocketAddrV4::new(*ASKER.ip(), 40_000);
    assert_eq!(it.responder.hears(&taken, from, it.now), (None, None));
}

#[test]
fn of_two_who_ask_at_once_one_gets_the_name_and_the_other_the_next() {
    let mut boxes = [Host::at("10.10.10.1/24", 7), Host::at("10.10.10.7/24", 7)];
    let [one, other] = &mut boxes;
    other.now = one.now;
    let start = one.now;
    for _ in 0..15_000 {
        let packets = [one.passes(MS), other.passes(MS)];
        let [of_one, of_other] = packets;
        of_one.iter().for_each(|(_, packet)| drop(other.hears(&packet.bytes)));
        of_other.iter().for_each(|(_, packet)| drop(one.hears(&packet.bytes)));
    }
    assert_eq!(one.now - start, Duration::from_secs(15));
    let mut names = boxes.map(|it| it.name());
    // The greater address wins.
    assert_eq!(names[1], "pxeberry.local");
    names.sort();
    assert_eq!(names, ["pxeberry-2.local", "pxeberry.local"]);
}

#[test]
fn one_who_asks_for_our_name_is_told_at_once_that_it_is_taken() {
    let mut it = Host::settled("10.10.10.1/24");
    let probe = message::probe(&records("10.10.10.7/24")).unwrap();
    let mut heard = Vec::new();
    for _ in 0..3 {
        it.hears(&probe);
        heard.extend(it.passes(250 * MS));
    }
    assert_eq!(heard.len(), 3, "each time");
    assert_eq!(heard[0].0, 0);
    assert!(said(&heard[0].1).contains(&"pxeberry.local A 120".to_owned()));
}

#[test]
fn another_address_is_announced_at_once_and_none_is_taken_back() {
    let mut it = Host::settled("10.10.10.1/24");
    assert_eq!(it.responder.is_at(subnet("192.168.1.5/24"), it.now), None);
    assert_eq!(it.name(), "pxeberry.local");
    let heard = it.passes(Duration::from_secs(10));
    assert_eq!(heard.len(), 3);
    assert_eq!(heard[0].0, 0);
    assert!(heard[0].1.bytes.windows(4).any(|bytes| bytes == [192, 168, 1, 5]));
    let goodbye = it.responder.is_at(None, it.now).unwrap();
    assert_eq!(said(&goodbye).len(), 5);
    assert!(said(&goodbye).iter().all(|record| record.ends_with(" 0")), "{:?}", said(&goodbye));
    assert_eq!(it.passes(Duration::from_secs(10)), []);
    assert_eq!(it.responder.leaves(), None, "once");
}

#[test]
fn with_every_name_taken_it_asks_once_in_five_seconds() {
    let mut it = Host::at("10.10.10.1/24", 7);
    let mut asked = 0;
    for _ in 0..120_000 {
        let heard = it.passes(MS);
        asked += heard.len();
        if !heard.is_empty() {
            let label = it.responder.label();
            let records = Records::new(&label, Ipv4Addr::new(10, 10, 10, 7), 80).unwrap();
            let said = Said {
                records: &records,
                answers: Set::of(&[Which::Address]),
                more: Set::default(),
                ttl: 120,
            };
            it.hears(&message::answer(said).unwrap());
        }
    }
    assert!((30..=50).contains(&asked), "{asked} questions in two minutes");
    assert_eq!(it.responder.name(), None);
}

#[test]
fn packets_that_are_wrong_or_made_to_be_slow_are_nothing() {
    let mut it = Host::settled("10.10.10.1/24");
    let ask = question("pxeberry.local", Rtype::A, 1);
    for length in 0..ask.len() {
        assert_eq!(it.hears(&ask[..length]), (None, None));
    }
    // A name that points at itself; 65,535 of everything; another opcode; an error.
    let to_itself = [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &[0xc0, 12, 0, 1, 0, 1]].concat();
    let too_many = [&[0, 0, 0, 0][..], &[0xff; 8], &ask[12..]].concat();
    let [mut opcode, mut error] = [ask.clone(), ask.clone()];
    opcode[2] = 0x28;
    error[3] = 3;
    let too_long = [ask.clone(), vec![0; message::LONGEST]].concat();
    for packet in [to_itself, too_many, opcode, error, too_long] {
        it.hears(&packet);
        assert_eq!(it.passes(Duration::from_secs(2)), [], "{packet:?}");
    }
    it.hears(&ask);
    assert_eq!(it.passes(Duration::from_secs(2)).len(), 1);
}
