//! Leases and records in memory; what must survive is written by the world around it.

use std::collections::HashMap;

use crate::dhcp::lease::Leases;
use crate::fleet::life::Record;
use crate::net::Mac;

/// More machines than any few racks hold; strangers are only remembered with
/// `boot.unknown = "install"`, and past this they boot their disks.
const MOST_RECORDS: usize = 16_384;

/// Who has which address, and who is where in its life.
pub struct Fleet {
    /// The lease table.
    pub leases: Leases,
    records: HashMap<Mac, Record>,
}

impl Fleet {
    /// With what the card remembered.
    pub fn new(leases: Leases, records: Vec<(Mac, Record)>) -> Fleet {
        Fleet { leases, records: records.into_iter().collect() }
    }

    /// The record of the machine with these network cards, and the card it is kept under.
    pub fn record(&self, cards: &[Mac]) -> Option<(Mac, &Record)> {
        cards.iter().find_map(|mac| Some((*mac, self.records.get(mac)?)))
    }

    /// Keeps a record that was written down.
    pub fn remember(&mut self, mac: Mac, record: Record) {
        if self.records.len() < MOST_RECORDS || self.records.contains_key(&mac) {
            self.records.insert(mac, record);
        }
    }

    /// The machine whose installation has this token.
    pub fn with_token(&self, token: &str) -> Option<Mac> {
        let has = |(_, record): &(&Mac, &Record)| !token.is_empty() && record.token == token;
        self.records.iter().find(has).map(|(mac, _)| *mac)
    }
}
