//! What is said when: first whether a name is free (RFC 6762 §8), then whose it is, and
//! nothing while there is no address. Pure: time is an argument, chance a seed.
//!
//! Its memory is a few words for each of our own records, whatever others say.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use super::PORT;
use super::chance::Chance;
use super::message::{self, Claim, Heard, Said};
use super::record::{COUNT, Records, Set, Which, beside};
use crate::net::Subnet;

/// RFC 6762 §8.1: three questions, a quarter of a second apart.
const PROBES: u8 = 3;
const BETWEEN_PROBES: Duration = Duration::from_millis(250);

/// RFC 6762 §8.3 asks for two or more, a second apart; one of them may be lost.
const ANNOUNCEMENTS: u8 = 3;
const BETWEEN_ANNOUNCEMENTS: Duration = Duration::from_secs(1);

/// Who was last to ask for the same name tries again after this (RFC 6762 §8.2).
const AFTER_A_TIE: Duration = Duration::from_secs(1);

/// RFC 6762 §8.1: after so many names that were taken, no more than one in five seconds.
const MOST_CONFLICTS: u32 = 15;
const CALM: Duration = Duration::from_secs(5);

/// RFC 6762 §6: a record goes to all once a second, but to defend a name four times.
const BETWEEN_ANSWERS: Duration = Duration::from_secs(1);
const BETWEEN_DEFENCES: Duration = Duration::from_millis(250);

/// RFC 6762 §6: others may answer the same question; all wait a little.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(120);

/// Answers to one asker alone, in a second: whoever writes another's address on his question
/// gets no more out of us.
const MOST_ALONE: u32 = 100;

/// RFC 6762 §6.7, in seconds.
const PLAIN_TTL: u32 = 10;

/// After so many names the first one is tried again.
const MOST_NAMES: u32 = 999;

/// A packet and where it goes; none: to all.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet {
    /// To whom.
    pub to: Option<SocketAddrV4>,
    /// What.
    pub bytes: Vec<u8>,
}

/// Somebody else has our name.
#[derive(Debug, PartialEq, Eq)]
pub struct Renamed {
    /// `pxeberry.local`
    pub from: String,
    /// `pxeberry-2.local`
    pub to: String,
    /// Where he is.
    pub by: Ipv4Addr,
}

/// One name on one LAN.
#[derive(Debug)]
pub struct Responder {
    wanted: String,
    port: u16,
    chance: Chance,
    number: u32,
    conflicts: u32,
    calm_since: Option<Instant>,
    home: Option<Home>,
    alone: (Option<Instant>, u32),
}

/// Where we are, and how far with our name.
#[derive(Debug)]
struct Home {
    subnet: Subnet,
    records: Records,
    stage: Stage,
    /// When each record is to go to all, and when it last did.
    due: [Option<Instant>; COUNT],
    sent: [Option<Instant>; COUNT],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// So many questions are out; the next step is then.
    Asking(u8, Instant),
    /// So many announcements are left.
    Announcing(u8, Instant),
    /// The name is ours.
    Settled,
}

impl Responder {
    /// For a box that is to be called `wanted` and has its page at `port`; nobody hears of it
    /// yet.
    pub fn new(wanted: &str, port: u16, seed: u64) -> Responder {
        Responder {
            wanted: wanted.to_owned(),
            port,
            chance: Chance::new(seed),
            number: 1,
            conflicts: 0,
            calm_since: None,
            home: None,
            alone: (None, 0),
        }
    }

    /// The name, once it is ours: `pxeberry.local`.
    pub fn name(&self) -> Option<String> {
        let home = self.home.as_ref()?;
        (!matches!(home.stage, Stage::Asking(..))).then(|| format!("{}.local", self.label()))
    }

    /// This is our address now. What is to be said of that at once is returned.
    pub fn is_at(&mut self, subnet: Option<Subnet>, now: Instant) -> Option<Packet> {
        let before = self.home.as_ref().map(|home| home.subnet);
        if before == subnet {
            return None;
        }
        let Some(subnet) = subnet else { return self.leaves() };
        let moved = before.is_some() && self.name().is_some();
        if before.is_none() {
            // Another LAN, perhaps.
            self.number = 1;
        }
        let first = now + self.chance.up_to(BETWEEN_PROBES);
        self.settles(subnet, first);
        // The name is ours already: its new address needs no question (RFC 6762 §8.4).
        if let Some(home) = self.home.as_mut().filter(|_| moved) {
            home.stage = Stage::Announcing(ANNOUNCEMENTS, now);
        }
        None
    }

    /// Takes everything back (RFC 6762 §10.1).
    pub fn leaves(&mut self) -> Option<Packet> {
        let had_a_name = self.name().is_some();
        let home = self.home.take().filter(|_| had_a_name)?;
        let said = Said { records: &home.records, answers: REAL, more: Set::default(), ttl: 0 };
        to_all(message::answer(said))
    }

    /// When [`Responder::due`] has something to say.
    pub fn next(&self) -> Option<Instant> {
        let home = self.home.as_ref()?;
        let step = match home.stage {
            Stage::Asking(_, next) | Stage::Announcing(_, next) => Some(next),
            Stage::Settled => None,
        };
        home.due.iter().flatten().copied().chain(step).min()
    }

    /// What is to be said now.
    pub fn due(&mut self, now: Instant) -> Vec<Packet> {
        let Some(home) = &mut self.home else { return Vec::new() };
        let step = match home.stage {
            Stage::Asking(asked, next) if next <= now && asked < PROBES => {
                home.stage = Stage::Asking(asked + 1, now + BETWEEN_PROBES);
                to_all(message::probe(&home.records))
            }
            Stage::Asking(_, next) if next <= now => {
                home.stage = Stage::Announcing(ANNOUNCEMENTS, now);
                None
            }
            _ => None,
        };
        let announcement = match home.stage {
            Stage::Announcing(left, next) if next <= now => {
                home.stage = match left {
                    0 | 1 => Stage::Settled,
                    left => Stage::Announcing(left - 1, now + BETWEEN_ANNOUNCEMENTS),
                };
                home.says(Set::WHOLE, now)
            }
            _ => None,
        };
        let ready = home.ready(now);
        let answers = if ready.is_empty() { None } else { home.says(ready, now) };
        [step, announcement, answers].into_iter().flatten().collect()
    }

    /// A packet of somebody at `from`. What is said to him alone goes out at once; whether
    /// he has our name is told.
    pub fn hears(
        &mut self,
        packet: &[u8],
        from: SocketAddrV4,
        now: Instant,
    ) -> (Option<Packet>, Option<Renamed>) {
        let Some(home) = &self.home else { return (None, None) };
        let Some(heard) = message::read(packet, &home.records) else { return (None, None) };
        match (heard.answers, home.stage) {
            // RFC 6762 §6: answers come from this port, always.
            (true, _) if from.port() != PORT => (None, None),
            (true, stage) => (None, self.is_contradicted(&heard, stage, *from.ip(), now)),
            (false, Stage::Asking(..)) => {
                self.meets_another_asker(&heard, now);
                (None, None)
            }
            (false, _) => (self.is_asked(&heard, from, now), None),
        }
    }

    /// While we ask, whoever has the name keeps it, whatever he has it for. Later only what
    /// stands against ours counts, and we ask again: he may have gone.
    fn is_contradicted(
        &mut self,
        heard: &Heard,
        stage: Stage,
        by: Ipv4Addr,
        now: Instant,
    ) -> Option<Renamed> {
        let home = self.home.as_mut()?;
        let ours: Vec<Claim> = home.records.of(Set::PROPOSED).map(Claim::of).collect();
        let asking = matches!(stage, Stage::Asking(..));
        let stands_against = |claim: &&Claim| {
            let same_kind = |own: &&Claim| own.kind == claim.kind && own.of_host == claim.of_host;
            !ours.contains(claim) && (asking || ours.iter().any(|own| same_kind(&own)))
        };
        // Two cards of one box may have two addresses; but ours has one here.
        heard.claims.iter().find(stands_against)?;
        if !asking {
            home.stage = Stage::Asking(0, now);
            return None;
        }
        let from = format!("{}.local", self.label());
        let pause = self.pause_after_conflict(now);
        self.number = if self.number < MOST_NAMES { self.number + 1 } else { 1 };
        let subnet = self.home.as_ref()?.subnet;
        self.settles(subnet, now + pause);
        Some(Renamed { from, to: format!("{}.local", self.label()), by })
    }

    /// Two ask for one name at once: the greater records win (RFC 6762 §8.2).
    fn meets_another_asker(&mut self, heard: &Heard, now: Instant) {
        let Some(home) = &mut self.home else { return };
        let lost = [true, false].into_iter().any(|of_host| {
            let mut theirs: Vec<Claim> =
                heard.claims.iter().filter(|claim| claim.of_host == of_host).cloned().collect();
            let ours = home.records.of(Set::PROPOSED).map(Claim::of);
            let mut ours: Vec<Claim> = ours.filter(|claim| claim.of_host == of_host).collect();
            theirs.sort();
            ours.sort();
            theirs > ours
        });
        if lost {
            home.stage = Stage::Asking(0, now + AFTER_A_TIE);
        }
    }

    fn is_asked(&mut self, heard: &Heard, from: SocketAddrV4, now: Instant) -> Option<Packet> {
        let wait = self.chance.between(SHORTEST_WAIT, LONGEST_WAIT);
        let home = self.home.as_mut()?;
        let set = heard.asked.without(heard.known);
        if set.is_empty() {
            return None;
        }
        // One who is not on our network would not be reached, and may be somebody else.
        let is_near = home.subnet.is_host(*from.ip());
        let records = &home.records;
        if from.port() != PORT {
            let more = beside(set);
            let said = Said { records, answers: set, more, ttl: PLAIN_TTL };
            let packet = message::plain_answer(heard, said).filter(|_| is_near)?;
            return admit(&mut self.alone, now).then_some(Packet { to: Some(from), bytes: packet });
        }
        let defends = !heard.claims.is_empty();
        let alone =
            if is_near && !defends { heard.alone.without(heard.known) } else { Set::default() };
        let mut packet = None;
        if !alone.is_empty() && admit(&mut self.alone, now) {
            let said = Said { records, answers: alone, more: beside(alone), ttl: u32::MAX };
            packet = message::answer(said).map(|bytes| Packet { to: Some(from), bytes });
        }
        let told = if packet.is_some() { alone } else { Set::default() };
        let fresh = home.is_fresh_for_others(told, now);
        home.plan(set.without(fresh), wait, defends, now);
        packet
    }

    fn pause_after_conflict(&mut self, now: Instant) -> Duration {
        let calm = self.calm_since.is_none_or(|since| now >= since + 2 * CALM);
        if calm {
            (self.conflicts, self.calm_since) = (0, Some(now));
        }
        self.conflicts += 1;
        if self.conflicts > MOST_CONFLICTS {
            self.calm_since = Some(now);
            return CALM;
        }
        self.chance.up_to(BETWEEN_PROBES)
    }

    /// Begins anew here.
    fn settles(&mut self, subnet: Subnet, first: Instant) {
        let records = Records::new(&self.label(), subnet.address(), self.port);
        let stage = Stage::Asking(0, first);
        let (due, sent) = ([None; COUNT], [None; COUNT]);
        self.home = records.map(|records| Home { subnet, records, stage, due, sent });
    }

    fn label(&self) -> String {
        match self.number {
            1 => self.wanted.clone(),
            number => format!("{}-{number}", self.wanted),
        }
    }
}

/// All that is there; what there is not need not be taken back.
const REAL: Set =
    Set::of(&[Which::Address, Which::Service, Which::Location, Which::Text, Which::Catalogue]);

impl Home {
    /// A set goes to all, and what belongs to it.
    fn says(&mut self, set: Set, now: Instant) -> Option<Packet> {
        let more = beside(set);
        let all = set.and(more);
        for record in self.records.of(all) {
            if let Some(sent) = self.sent.get_mut(record.which as usize) {
                *sent = Some(now);
            }
            if let Some(due) = self.due.get_mut(record.which as usize) {
                *due = None;
            }
        }
        let said = Said { records: &self.records, answers: set, more, ttl: u32::MAX };
        to_all(message::answer(said))
    }

    fn ready(&self, now: Instant) -> Set {
        let due = |which: Which| self.due.get(which as usize).copied().flatten();
        let ready = self.records.all().map(|record| record.which);
        let ready = ready.filter(|which| due(*which).is_some_and(|due| due <= now));
        ready.fold(Set::default(), |all, which| all.and(Set::of(&[which])))
    }

    /// These are to go to all, when they may.
    fn plan(&mut self, set: Set, wait: Duration, defends: bool, now: Instant) {
        let between = if defends { BETWEEN_DEFENCES } else { BETWEEN_ANSWERS };
        for record in self.records.of(set) {
            let wait = if record.unique || defends { Duration::ZERO } else { wait };
            let sent = self.sent.get(record.which as usize).copied().flatten();
            let may = sent.map_or(now, |sent| sent + between);
            if let Some(due) = self.due.get_mut(record.which as usize) {
                let then = (now + wait).max(may);
                *due = Some(due.map_or(then, |before| before.min(then)));
            }
        }
    }

    /// Which of these all have heard lately (RFC 6762 §5.4): they need not hear it again.
    fn is_fresh_for_others(&self, set: Set, now: Instant) -> Set {
        let fresh = self.records.of(set).filter(|record| {
            let sent = self.sent.get(record.which as usize).copied().flatten();
            let quarter = Duration::from_secs(u64::from(record.ttl / 4));
            sent.is_some_and(|sent| now < sent + quarter)
        });
        fresh.fold(Set::default(), |all, record| all.and(Set::of(&[record.which])))
    }
}

fn to_all(bytes: Option<Vec<u8>>) -> Option<Packet> {
    bytes.map(|bytes| Packet { to: None, bytes })
}

fn admit((since, count): &mut (Option<Instant>, u32), now: Instant) -> bool {
    if since.is_none_or(|since| now >= since + Duration::from_secs(1)) {
        (*since, *count) = (Some(now), 0);
    }
    *count += 1;
    *count <= MOST_ALONE
}

#[cfg(test)]
mod tests;
