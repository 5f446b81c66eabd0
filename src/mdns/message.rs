//! Packets: what one that was heard has to do with us, and what we say. Pure.
//!
//! A packet that is wrong anywhere is no packet. Nothing of it is kept but marks on our own
//! records and what somebody else says under our own names.

use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::message::RecordSection;
use domain::base::record::ParsedRecord;
use domain::base::{Message, MessageBuilder, ParsedName, ToName, UnknownRecordData};
use domain::rdata::{Ptr, Srv};

use super::record::{Name, Record, Records, Set, Which};

/// RFC 6762 §17; without the headers of IP and UDP.
pub const LONGEST: usize = 9_000 - 28;

/// Questions and records of a packet that are looked at: an honest one has a dozen, and one
/// that was made to be slow at most costs a third of a millisecond.
const MOST_PARTS: usize = 256;

/// What is said under our names and kept until the packet is answered.
const MOST_CLAIMS: usize = 32;

/// RFC 6762 §5.4 and §10.2: "answer me alone", and "forget all others".
const TOP_BIT: u16 = 0x8000;

/// What a packet has to do with us.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Its number, which only those who know no multicast DNS look at.
    pub id: u16,
    /// It answers; else it asks.
    pub answers: bool,
    /// What is asked for.
    pub asked: Set,
    /// And may be answered to the asker alone.
    pub alone: Set,
    /// What he knows, and need not be told.
    pub known: Set,
    /// The questions that we can answer, as they were put.
    pub questions: Vec<(Name, Rtype)>,
    /// What somebody says, or will say, under our names.
    pub claims: Vec<Claim>,
}

/// A record under a name that is to be ours alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// Its number in DNS. First: claims are compared in this order (RFC 6762 §8.2).
    pub kind: u16,
    /// What it says, without compression.
    pub data: Vec<u8>,
    /// Whether it is under the host's name, or the page's.
    pub of_host: bool,
}

/// Reads a packet. None: it is no packet, or none of multicast DNS.
pub fn read(packet: &[u8], ours: &Records) -> Option<Heard> {
    let message = Message::from_octets(packet).ok().filter(|_| packet.len() <= LONGEST)?;
    let header = message.header();
    if header.opcode() != Opcode::QUERY || header.rcode() != Rcode::NOERROR {
        return None;
    }
    let mut heard = Heard { id: header.id(), answers: header.qr(), ..Heard::default() };
    let mut left = MOST_PARTS;
    for question in message.question().take(left) {
        let question = question.ok()?;
        left -= 1;
        heard.is_asked(ours, question.qname(), question.qtype(), question.qclass());
    }
    let answers = message.answer().ok()?;
    each(answers, &mut left, |record| match heard.answers {
        true => heard.claimed(ours, record),
        false => heard.knows(ours, record),
    })?;
    if left > 0 && !heard.answers {
        // Whoever asks whether a name is free says there what he wants with it.
        each(message.authority().ok()?, &mut left, |record| heard.claimed(ours, record))?;
    }
    Some(heard)
}

fn each<'a>(
    section: RecordSection<'a, &'a [u8]>,
    left: &mut usize,
    mut look: impl FnMut(&ParsedRecord<'a, &'a [u8]>),
) -> Option<()> {
    for record in section.take(*left) {
        *left -= 1;
        look(&record.ok()?);
    }
    Some(())
}

impl Heard {
    fn is_asked(&mut self, ours: &Records, name: impl ToName, kind: Rtype, class: Class) {
        let (class, alone) = (class.to_int() & !TOP_BIT, class.to_int() & TOP_BIT != 0);
        if self.answers || ![Class::IN.to_int(), Class::ANY.to_int()].contains(&class) {
            return;
        }
        let set = ours.answers(|own| own.name_eq(&name), kind);
        if set.is_empty() {
            return;
        }
        self.asked = self.asked.and(set);
        if alone {
            self.alone = self.alone.and(set);
        }
        if self.questions.len() < MOST_CLAIMS {
            self.questions.push((name.to_name(), kind));
        }
    }

    /// RFC 6762 §7.1: not if he will forget it soon.
    fn knows(&mut self, ours: &Records, record: &ParsedRecord<'_, &[u8]>) {
        if !is_internet(record.class()) {
            return;
        }
        let same = ours.all().find(|own| {
            own.kind == record.rtype()
                && record.owner().name_eq(&own.name)
                && data(record).as_deref() == Some(&own.data)
        });
        if let Some(own) = same.filter(|own| record.ttl().as_secs() >= own.ttl / 2) {
            self.known = self.known.and(Set::of(&[own.which]));
        }
    }

    fn claimed(&mut self, ours: &Records, record: &ParsedRecord<'_, &[u8]>) {
        // Whoever takes a record back claims nothing; nor does one who says what there is not.
        let nothing =
            (self.answers && record.ttl().as_secs() == 0) || record.rtype() == Rtype::NSEC;
        if nothing || !is_internet(record.class()) || self.claims.len() >= MOST_CLAIMS {
            return;
        }
        let unique = Set::of(&[Which::Address, Which::Location]);
        let under = ours.of(unique).find(|own| record.owner().name_eq(&own.name));
        if let Some(own) = under
            && let Some(data) = data(record)
        {
            let of_host = own.which == Which::Address;
            self.claims.push(Claim { kind: record.rtype().to_int(), data, of_host });
        }
    }
}

fn is_internet(class: Class) -> bool {
    class.to_int() & !TOP_BIT == Class::IN.to_int()
}

/// What a record says; names in it may have been compressed, and are compared without case.
fn data(record: &ParsedRecord<'_, &[u8]>) -> Option<Vec<u8>> {
    let plain = |name: &ParsedName<&[u8]>| name.to_canonical_name::<Vec<u8>>().into_octets();
    match record.rtype() {
        Rtype::PTR => {
            let record = record.to_record::<Ptr<ParsedName<&[u8]>>>().ok()??;
            Some(plain(record.data().ptrdname()))
        }
        Rtype::SRV => {
            let record = record.to_record::<Srv<ParsedName<&[u8]>>>().ok()??;
            let data = record.data();
            let numbers = [data.priority(), data.weight(), data.port()].map(u16::to_be_bytes);
            Some([numbers.as_flattened(), &plain(data.target())].concat())
        }
        _ => {
            let record = record.to_record::<UnknownRecordData<&[u8]>>().ok()??;
            Some(record.data().data().to_vec())
        }
    }
}

/// What is to be said.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Of these.
    pub records: &'a Records,
    /// The answers.
    pub answers: Set,
    /// What is told beside them.
    pub more: Set,
    /// Others may keep it no longer than so many seconds; 0: they are to forget it.
    pub ttl: u32,
}

/// An answer to everybody, or to one who knows multicast DNS.
pub fn answer(said: Said<'_>) -> Option<Vec<u8>> {
    write(0, &[], said, TOP_BIT)
}

/// An answer to one who does not (RFC 6762 §6.7): with his number and his questions, and
/// nothing that he would not understand.
pub fn plain_answer(heard: &Heard, said: Said<'_>) -> Option<Vec<u8>> {
    write(heard.id, &heard.questions, said, 0)
}

/// "Is this free?" (RFC 6762 §8.1)
pub fn probe(records: &Records) -> Option<Vec<u8>> {
    let mut builder = MessageBuilder::new_vec().question();
    for record in records.of(Set::of(&[Which::Address, Which::Location])) {
        builder.push((&record.name, Rtype::ANY, Class::IN)).ok()?;
    }
    let mut builder = builder.authority();
    for record in records.of(Set::PROPOSED) {
        builder.push(composed(record, record.ttl, 0)?).ok()?;
    }
    Some(builder.finish())
}

fn write(id: u16, questions: &[(Name, Rtype)], said: Said<'_>, unique: u16) -> Option<Vec<u8>> {
    let mut builder = MessageBuilder::new_vec();
    let header = builder.header_mut();
    header.set_id(id);
    header.set_qr(true);
    header.set_aa(true);
    let mut builder = builder.question();
    for (name, kind) in questions {
        builder.push((name, *kind, Class::IN)).ok()?;
    }
    let mut builder = builder.answer();
    for record in said.records.of(said.answers) {
        builder.push(composed(record, said.ttl, unique)?).ok()?;
    }
    let mut builder = builder.additional();
    for record in said.records.of(said.more) {
        builder.push(composed(record, said.ttl, unique)?).ok()?;
    }
    Some(builder.finish())
}

type Composed<'a> = (&'a Name, Class, u32, UnknownRecordData<&'a [u8]>);

fn composed(record: &Record, longest: u32, unique: u16) -> Option<Composed<'_>> {
    let bit = if record.unique { unique } else { 0 };
    let class = Class::from_int(Class::IN.to_int() | bit);
    let data = UnknownRecordData::from_octets(record.kind, record.data.as_slice()).ok()?;
    Some((&record.name, class, record.ttl.min(longest), data))
}

impl Claim {
    /// One of ours.
    pub fn of(record: &Record) -> Claim {
        Claim {
            kind: record.kind.to_int(),
            data: record.data.clone(),
            of_host: matches!(record.which, Which::Address | Which::HostHas),
        }
    }
}
