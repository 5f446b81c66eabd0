//! What this box has to say of itself: seven records, of which it says any set. Pure.

use std::net::Ipv4Addr;
use std::str::FromStr;

use domain::base::iana::Rtype;

/// A whole name.
pub type Name = domain::base::Name<Vec<u8>>;

/// What DNS-SD calls a web page for people.
const SERVICE: &str = "_http._tcp.local";

/// Where DNS-SD lists the kinds of services (RFC 6763 §9).
const CATALOGUE: &str = "_services._dns-sd._udp.local";

/// Records with an address, or a host's name in them, and all others (RFC 6762 §10), in
/// seconds.
const OF_HOST: u32 = 120;
const OF_OTHERS: u32 = 75 * 60;

/// Which record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// `pxeberry.local` is at this address.
    Address,
    /// There is a page called `pxeberry`.
    Service,
    /// That page is at this host and port.
    Location,
    /// And begins at this path.
    Text,
    /// There are web pages.
    Catalogue,
    /// The host has an IPv4 address and nothing else.
    HostHas,
    /// The page has a location, a text and nothing else.
    PageHas,
}

/// How many there are.
pub const COUNT: usize = 7;

/// Some of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Set(u8);

impl Set {
    /// What is announced, and taken back.
    pub const WHOLE: Set = Set::of(&[
        Which::Address,
        Which::Service,
        Which::Location,
        Which::Text,
        Which::Catalogue,
        Which::HostHas,
        Which::PageHas,
    ]);

    /// What must be nobody else's: it is proposed first.
    pub const PROPOSED: Set = Set::of(&[Which::Address, Which::Location, Which::Text]);

    /// These.
    pub const fn of(some: &[Which]) -> Set {
        let (mut bits, mut at) = (0, 0);
        while let [_, ..] = some
            && at < some.len()
        {
            #[allow(clippy::indexing_slicing, reason = "below its length; no iterator is const")]
            let which = some[at] as u8;
            bits |= 1 << which;
            at += 1;
        }
        Set(bits)
    }

    /// Whether it is among them.
    pub fn has(self, which: Which) -> bool {
        self.0 & Set::of(&[which]).0 != 0
    }

    /// Both.
    pub fn and(self, other: Set) -> Set {
        Set(self.0 | other.0)
    }

    /// Without those.
    pub fn without(self, other: Set) -> Set {
        Set(self.0 & !other.0)
    }

    /// None.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which.
    pub which: Which,
    /// What it is about.
    pub name: Name,
    /// Of what kind.
    pub kind: Rtype,
    /// For how long others may keep it, in seconds.
    pub ttl: u32,
    /// Nobody else may have another one of this name and kind.
    pub unique: bool,
    /// What it says, without compression.
    pub data: Vec<u8>,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records([Record; COUNT]);

impl Records {
    /// Of a box that is called `label` and has its page at `address`. None: it cannot be
    /// called so.
    pub fn new(label: &str, address: Ipv4Addr, port: u16) -> Option<Records> {
        let name = |text: &str| Name::from_str(text).ok();
        let host = name(&format!("{label}.local"))?;
        let page = name(&format!("{label}.{SERVICE}"))?;
        let (service, catalogue) = (name(SERVICE)?, name(CATALOGUE)?);
        let location = [&[0; 4], &port.to_be_bytes()[..], host.as_slice()].concat();
        let record = |which, name: &Name, kind, ttl, unique, data| Record {
            which,
            name: name.clone(),
            kind,
            ttl,
            unique,
            data,
        };
        Some(Records([
            record(Which::Address, &host, Rtype::A, OF_HOST, true, address.octets().to_vec()),
            record(Which::Service, &service, Rtype::PTR, OF_OTHERS, false, plain(&page)),
            record(Which::Location, &page, Rtype::SRV, OF_HOST, true, location),
            record(Which::Text, &page, Rtype::TXT, OF_OTHERS, true, b"\x06path=/".to_vec()),
            record(Which::Catalogue, &catalogue, Rtype::PTR, OF_OTHERS, false, plain(&service)),
            record(Which::HostHas, &host, Rtype::NSEC, OF_HOST, true, has(&host, &[Rtype::A])),
            record(
                Which::PageHas,
                &page,
                Rtype::NSEC,
                OF_OTHERS,
                true,
                has(&page, &[Rtype::TXT, Rtype::SRV]),
            ),
        ]))
    }

    /// Those in a set.
    pub fn of(&self, set: Set) -> impl Iterator<Item = &Record> {
        self.0.iter().filter(move |record| set.has(record.which))
    }

    /// All.
    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.0.iter()
    }

    /// What a question for this name and kind is answered with. Of a name that is ours alone
    /// we know what there is not, too.
    pub fn answers(&self, is: impl Fn(&Name) -> bool, kind: Rtype) -> Set {
        let (mut found, mut denied) = (Set::default(), Set::default());
        for record in self.0.iter().filter(|record| is(&record.name)) {
            if record.kind == Rtype::NSEC {
                denied = denied.and(Set::of(&[record.which]));
            }
            if record.kind == kind || (kind == Rtype::ANY && record.kind != Rtype::NSEC) {
                found = found.and(Set::of(&[record.which]));
            }
        }
        if found.is_empty() { denied } else { found }
    }
}

/// What whoever asked for these will ask for next (RFC 6763 §12).
pub fn beside(set: Set) -> Set {
    let follow = [
        (Which::Service, Set::of(&[Which::Location, Which::Text, Which::Address, Which::HostHas])),
        (Which::Location, Set::of(&[Which::Address, Which::HostHas])),
        (Which::Address, Set::of(&[Which::HostHas])),
    ];
    let follow = follow.into_iter().filter(|(which, _)| set.has(*which));
    follow.fold(Set::default(), |all, (_, more)| all.and(more)).without(set)
}

fn plain(name: &Name) -> Vec<u8> {
    name.as_slice().to_vec()
}

/// NSEC (RFC 4034 §4.1) as RFC 6762 §6.1 has it: only kinds below 256.
fn has(name: &Name, kinds: &[Rtype]) -> Vec<u8> {
    let numbers = kinds.iter().filter_map(|kind| u8::try_from(kind.to_int()).ok());
    let mut bits: Vec<u8> = Vec::new();
    for number in numbers {
        let place = usize::from(number / 8);
        if bits.len() <= place {
            bits.resize(place + 1, 0);
        }
        if let Some(byte) = bits.get_mut(place) {
            *byte |= 0x80 >> (number % 8);
        }
    }
    let length = u8::try_from(bits.len()).unwrap_or_default();
    [name.as_slice(), &[0, length], &bits].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 1);

    fn asked(name: &str, kind: Rtype) -> Vec<Which> {
        let records = Records::new("pxeberry", ADDRESS, 80).unwrap();
        let name = Name::from_str(name).unwrap();
        let set = records.answers(|own| *own == name, kind);
        records.of(set).map(|record| record.which).collect()
    }

    #[test]
    fn each_question_has_its_records() {
        for (name, kind, expected) in [
            ("pxeberry.local", Rtype::A, vec![Which::Address]),
            ("PXEberry.LOCAL", Rtype::ANY, vec![Which::Address]),
            ("pxeberry.local", Rtype::AAAA, vec![Which::HostHas]),
            ("_http._tcp.local", Rtype::PTR, vec![Which::Service]),
            ("_http._tcp.local", Rtype::A, vec![]),
            ("_services._dns-sd._udp.local", Rtype::ANY, vec![Which::Catalogue]),
            ("pxeberry._http._tcp.local", Rtype::SRV, vec![Which::Location]),
            ("pxeberry._http._tcp.local", Rtype::ANY, vec![Which::Location, Which::Text]),
            ("pxeberry._http._tcp.local", Rtype::A, vec![Which::PageHas]),
            ("pxeberry-2.local", Rtype::A, vec![]),
            ("pxeberry", Rtype::A, vec![]),
        ] {
            assert_eq!(asked(name, kind), expected, "{name} {kind}");
        }
    }

    #[test]
    fn what_there_is_not_is_said_with_bits() {
        let name = Name::from_str("a.local").unwrap();
        let nsec = has(&name, &[Rtype::A]);
        assert_eq!(nsec, b"\x01a\x05local\x00\x00\x01\x40");
        // TXT is 16, SRV is 33.
        let nsec = has(&name, &[Rtype::TXT, Rtype::SRV]);
        assert!(nsec.ends_with(b"\x00\x05\x00\x00\x80\x00\x40"), "{nsec:?}");
    }

    #[test]
    fn who_finds_the_page_is_told_the_way_to_it() {
        let set = beside(Set::of(&[Which::Service, Which::Text]));
        assert_eq!(set, Set::of(&[Which::Location, Which::Address, Which::HostHas]));
        assert!(beside(Set::of(&[Which::Catalogue])).is_empty());
    }

    #[test]
    fn a_name_that_cannot_be_one_makes_no_records() {
        assert!(Records::new(&"a".repeat(64), ADDRESS, 80).is_none());
        assert!(Records::new("a..b", ADDRESS, 80).is_none());
    }
}
