//! Which iPXE a UEFI machine on x64 is given: Debian has two, and firmware that starts only
//! one of them. This remembers, for each machine, which one runs. Pure.
//!
//! `snponly.efi` uses the firmware's own network driver and is first: native drivers hang on
//! some machines. On others it is the firmware's driver that fails; they run `ipxe-amd64.efi`.
//! Nobody says "I hang": it shows by the firmware asking anew after it was sent a loader
//! whole, while the iPXE in it never asked for anything.

use std::collections::HashMap;

use crate::dhcp::Seconds;
use crate::net::Mac;

/// Whose network driver iPXE uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// The firmware's.
    #[default]
    Firmware,
    /// Its own.
    Native,
}

impl Driver {
    /// The program that uses it.
    pub fn file(self) -> &'static str {
        match self {
            Driver::Firmware => "snponly.efi",
            Driver::Native => "ipxe-amd64.efi",
        }
    }

    fn other(self) -> Driver {
        match self {
            Driver::Firmware => Driver::Native,
            Driver::Native => Driver::Firmware,
        }
    }
}

/// Machines that are remembered; the one that was quiet longest goes first.
const MOST_MACHINES: usize = 4_096;

/// A boot that a person breaks off looks like one that failed: one is no failure yet.
const FAILURES: u8 = 2;

/// A program that has run before is not doubted so soon.
const DOUBTS: u8 = 3;

/// Failures further apart have nothing to do with each other.
const IN_A_ROW: Seconds = 3_600;

/// What was seen of every machine.
#[derive(Debug, Clone, Default)]
pub struct Loaders(HashMap<Mac, Trial>);

/// What was seen of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trial {
    /// What it is given.
    pub driver: Driver,
    /// Its iPXE has run.
    pub works: bool,
    /// Both were tried in vain: it is given the first, and no more is tried.
    pub in_vain: bool,
    /// The other one was tried and failed, or this one is the other one.
    changed: bool,
    sent: bool,
    failures: u8,
    last: Seconds,
}

impl Loaders {
    /// With what was learned before a restart.
    pub fn new(learned: impl IntoIterator<Item = (Mac, Driver)>) -> Loaders {
        let trial = |driver| Trial { driver, works: true, ..Trial::default() };
        Loaders(learned.into_iter().map(|(mac, driver)| (mac, trial(driver))).collect())
    }

    /// Firmware asks anew. What was seen of the machine, if that leads to another program.
    pub fn asks(&mut self, mac: Mac, now: Seconds) -> Option<Trial> {
        let trial = self.0.get_mut(&mac)?;
        trial.begins_anew(now).then_some(*trial)
    }

    /// The machine was sent its iPXE to the last byte.
    pub fn sent(&mut self, mac: Mac, file: &str, now: Seconds) {
        if file != self.driver(mac).file() {
            return;
        }
        self.make_room(mac);
        let trial = self.0.entry(mac).or_default();
        (trial.sent, trial.last) = (true, now);
    }

    /// iPXE asks, or its script is fetched: it runs. The driver, if that is news.
    pub fn runs(&mut self, mac: Mac) -> Option<Driver> {
        let trial = self.0.get_mut(&mac)?;
        // One in the network card's ROM was not sent by us, and proves nothing.
        if !std::mem::take(&mut trial.sent) {
            return None;
        }
        (trial.failures, trial.in_vain, trial.changed) = (0, false, false);
        let news = !std::mem::replace(&mut trial.works, true);
        news.then_some(trial.driver)
    }

    /// What the machine is given.
    pub fn driver(&self, mac: Mac) -> Driver {
        self.trial(mac).map_or(Driver::Firmware, |trial| trial.driver)
    }

    /// What was seen of a machine.
    pub fn trial(&self, mac: Mac) -> Option<&Trial> {
        self.0.get(&mac)
    }

    /// The driver that works for a machine.
    pub fn learned(&self, mac: Mac) -> Option<Driver> {
        self.trial(mac).filter(|trial| trial.works).map(|trial| trial.driver)
    }

    fn make_room(&mut self, mac: Mac) {
        if self.0.len() >= MOST_MACHINES
            && !self.0.contains_key(&mac)
            && let Some(quiet) = self.0.iter().min_by_key(|(_, trial)| trial.last)
        {
            let quiet = *quiet.0;
            self.0.remove(&quiet);
        }
    }
}

impl Trial {
    /// True if the machine is given another program from now on.
    fn begins_anew(&mut self, now: Seconds) -> bool {
        if !std::mem::take(&mut self.sent) || self.in_vain {
            return false;
        }
        // `last` is when the failed one was sent, or failed before.
        let in_a_row = now <= self.last.saturating_add(IN_A_ROW);
        self.failures = if in_a_row { self.failures.saturating_add(1) } else { 1 };
        self.last = now;
        if self.failures < if self.works { DOUBTS } else { FAILURES } {
            return false;
        }
        self.in_vain = self.changed;
        self.changed = true;
        self.driver = self.driver.other();
        (self.works, self.failures) = (false, 0);
        true
    }

    /// One sentence for a person, behind the machine's name; none: nothing is remarkable.
    pub fn words(&self) -> Option<&'static str> {
        match (self.works, self.driver, self.in_vain) {
            (_, _, true) => Some(
                "runs neither snponly.efi nor ipxe-amd64.efi: if its Secure Boot is on, say \
                 loader = \"shim\" in machines.toml, or switch it off in its setup",
            ),
            (true, Driver::Native, _) => Some("runs ipxe-amd64.efi, and not snponly.efi"),
            (false, Driver::Native, _) => {
                Some("did not run snponly.efi; is given ipxe-amd64.efi now")
            }
            (false, Driver::Firmware, _) if self.changed => {
                Some("does not run ipxe-amd64.efi any more; is given snponly.efi now")
            }
            (_, Driver::Firmware, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Driver::{Firmware, Native};
    use super::*;

    fn mac() -> Mac {
        Mac::new([0x52, 0x54, 0, 0, 0, 1]).unwrap()
    }

    /// The machine asks at these times, and takes what it is given whole, a second later.
    fn in_vain(loaders: &mut Loaders, times: &[Seconds]) -> Vec<Driver> {
        let boot = |at: &Seconds| {
            loaders.asks(mac(), *at);
            let driver = loaders.driver(mac());
            loaders.sent(mac(), driver.file(), at + 1);
            driver
        };
        times.iter().map(boot).collect()
    }

    #[test]
    fn firmware_that_took_one_program_twice_in_vain_is_given_the_other() {
        let mut loaders = Loaders::default();
        assert_eq!(in_vain(&mut loaders, &[0, 60, 120]), [Firmware, Firmware, Native]);
        assert_eq!(loaders.runs(mac()), Some(Native));
        assert_eq!(loaders.runs(mac()), None, "no news");
        assert_eq!(loaders.learned(mac()), Some(Native));
    }

    #[test]
    fn a_boot_that_a_person_breaks_off_is_no_failure() {
        let mut loaders = Loaders::default();
        assert_eq!(in_vain(&mut loaders, &[0, 2]), [Firmware; 2]);
        assert_eq!(loaders.runs(mac()), Some(Firmware));
        // Nor two, an hour apart, of a machine that is switched on to do something else.
        let mut loaders = Loaders::default();
        assert_eq!(in_vain(&mut loaders, &[0, 3_602, 7_204]), [Firmware; 3]);
        let mut loaders = Loaders::default();
        assert_eq!(in_vain(&mut loaders, &[0, 3_601, 3_602]), [Firmware, Firmware, Native]);
    }

    #[test]
    fn asking_again_before_the_program_was_sent_whole_is_no_failure() {
        let mut loaders = Loaders::default();
        in_vain(&mut loaders, &[0]);
        assert_eq!(loaders.asks(mac(), 10), None, "the first failure");
        for at in 11..30 {
            assert_eq!(loaders.asks(mac(), at), None);
        }
        loaders.sent(mac(), "pxelinux.0", 31);
        assert_eq!(loaders.asks(mac(), 32), None, "that was another program");
        assert_eq!(loaders.driver(mac()), Firmware);
    }

    #[test]
    fn what_has_run_is_kept_until_it_fails_three_times_in_a_row() {
        let mut loaders = Loaders::new([(mac(), Native)]);
        assert_eq!(in_vain(&mut loaders, &[0, 60, 120]), [Native; 3]);
        assert_eq!(loaders.runs(mac()), None);
        assert_eq!(
            in_vain(&mut loaders, &[200, 260, 320, 380]),
            [Native, Native, Native, Firmware]
        );
    }

    #[test]
    fn when_both_fail_the_first_is_kept_for_good() {
        let mut loaders = Loaders::default();
        let times: Vec<Seconds> = (0..12).map(|n| n * 60).collect();
        let given = in_vain(&mut loaders, &times);
        assert_eq!(given[..5], [Firmware, Firmware, Native, Native, Firmware]);
        assert_eq!(given[5..], [Firmware; 7]);
        assert!(loaders.trial(mac()).unwrap().words().unwrap().contains("Secure Boot"));
        // Somebody has switched Secure Boot off.
        assert_eq!(loaders.runs(mac()), Some(Firmware));
        assert_eq!(loaders.trial(mac()).unwrap().words(), None);
    }

    #[test]
    fn a_machine_that_always_boots_is_always_given_the_same() {
        let mut loaders = Loaders::default();
        for at in 0..100 {
            assert_eq!(in_vain(&mut loaders, &[at]), [Firmware]);
            loaders.runs(mac());
        }
        assert_eq!(loaders.trial(mac()).unwrap().words(), None);
    }

    #[test]
    fn an_ipxe_that_was_not_sent_proves_nothing() {
        let mut loaders = Loaders::default();
        assert_eq!(loaders.runs(mac()), None);
        assert_eq!(loaders.trial(mac()), None);
    }

    #[test]
    fn made_up_machines_cannot_fill_the_memory() {
        let mut loaders = Loaders::default();
        for n in 0..10_000_u64 {
            let [.., a, b, c] = n.to_be_bytes();
            let mac = Mac::new([2, 0, 0, a, b, c]).unwrap();
            loaders.asks(mac, n);
            loaders.sent(mac, "snponly.efi", n);
        }
        assert_eq!(loaders.0.len(), MOST_MACHINES);
    }
}
