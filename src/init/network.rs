//! Which interface the appliance serves on. The choice is pure; waiting is the loop's.
//!
//! PID 1 only brings interfaces up. The address comes from `serve`, which first makes sure
//! that nobody else has it to give: a router at 10.10.10.1 must not find a rival there.

use std::time::{Duration, Instant};

use log::{info, warn};

use crate::config::Config;
use crate::net::iface;
use crate::net::link::Interfaces;

/// Auto-negotiation takes a gigabit port up to four seconds.
const LINK_WAIT: Duration = Duration::from_secs(5);

/// Linux `ip-sysctl`: 1 is "reply only for addresses of the card that was asked".
const ARP_IGNORE: &str = "/proc/sys/net/ipv4/conf/all/arp_ignore";

/// How often a person is told again what is missing.
const REMINDER: Duration = Duration::from_secs(30);

/// An interface as it looks from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `eth0`
    pub name: String,
    /// Whether something alive is at the other end of the cable.
    pub link: bool,
}

/// The interface that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// `eth0`
    pub name: String,
    index: u32,
    link: bool,
}

/// What a turn of the loop brought.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// An interface is up.
    Ready,
    /// The interface is gone; everything bound to it is dead.
    Lost,
}

/// The search for an interface, and the watch over the one that was found.
#[derive(Debug)]
pub struct Network {
    interfaces: Option<Interfaces>,
    chosen: Option<Chosen>,
    up: Vec<(String, u32)>,
    first_seen: Option<Instant>,
    remind_at: Option<Instant>,
}

impl Network {
    /// Opens the way to the kernel and brings `lo` up, for clients on the box itself.
    pub fn start() -> Network {
        let interfaces = Interfaces::open().map_err(|error| warn!("no network: {error}")).ok();
        // With two cards on one LAN, each must only answer for its own address: the servers
        // listen on one of them alone.
        if let Err(error) = std::fs::write(ARP_IGNORE, "1") {
            warn!("{ARP_IGNORE}: {error}");
        }
        if let Some(Err(error)) = interfaces.as_ref().map(|all| all.up("lo")) {
            warn!("lo: cannot be brought up: {error}");
        }
        Network { interfaces, chosen: None, up: Vec::new(), first_seen: None, remind_at: None }
    }

    /// The interface in use.
    pub fn chosen(&self) -> Option<&Chosen> {
        self.chosen.as_ref()
    }

    /// Brings up every wired interface, so that its link comes while other things happen.
    pub fn wake(&mut self, now: Instant) {
        let Some(interfaces) = &self.interfaces else { return };
        let present: Vec<(String, u32)> = iface::wired()
            .into_iter()
            .filter_map(|name| interfaces.index(&name).map(|index| (name, index)))
            .collect();
        for (name, index) in &present {
            if self.up.iter().any(|(_, known)| known == index) {
                continue;
            }
            match interfaces.up(name) {
                Ok(()) => info!("{name}: network interface found"),
                Err(error) => warn!("{name}: cannot be brought up: {error}"),
            }
        }
        self.up = present;
        if !self.up.is_empty() {
            self.first_seen.get_or_insert(now);
        }
    }

    /// Looks after the interface in use, or for one.
    pub fn advance(&mut self, config: &Config, now: Instant) -> Option<News> {
        self.wake(now);
        if self.chosen.is_some() {
            return self.watch();
        }
        let seen: Vec<Seen> = self
            .up
            .iter()
            .map(|(name, _)| Seen { name: name.clone(), link: iface::has_link(name) })
            .collect();
        let waited = self.first_seen.map_or(Duration::ZERO, |first| now.duration_since(first));
        let wanted = config.interface.as_deref();
        let Some(name) = choose(wanted, &seen, waited) else {
            self.remind(wanted, &seen, now);
            return None;
        };
        self.take(name)
    }

    /// Forgets which interface is in use: another one may be now.
    pub fn choose_again(&mut self) {
        *self = Network { interfaces: self.interfaces.take(), ..Network::empty() };
    }

    fn take(&mut self, name: String) -> Option<News> {
        let interfaces = self.interfaces.as_ref()?;
        let index = interfaces.index(&name)?;
        // A name from the config may be of a kind that is not woken by itself (a VLAN).
        if let Err(error) = interfaces.up(&name) {
            warn!("{name}: cannot be set up: {error}; trying again");
            self.first_seen = None;
            return None;
        }
        let link = iface::has_link(&name);
        info!("{name}: up, {}", if link { "link up" } else { "no link yet" });
        self.chosen = Some(Chosen { name, index, link });
        Some(News::Ready)
    }

    fn watch(&mut self) -> Option<News> {
        let chosen = self.chosen.as_mut()?;
        let index = self.interfaces.as_ref().and_then(|all| all.index(&chosen.name));
        if index != Some(chosen.index) {
            warn!("{}: the interface is gone; plug the adapter in again", chosen.name);
            self.choose_again();
            return Some(News::Lost);
        }
        let link = iface::has_link(&chosen.name);
        if link != chosen.link {
            chosen.link = link;
            match link {
                true => info!("{}: link up", chosen.name),
                false => warn!("{}: no link; check the cable and the switch", chosen.name),
            }
        }
        None
    }

    fn empty() -> Network {
        Network {
            interfaces: None,
            chosen: None,
            up: Vec::new(),
            first_seen: None,
            remind_at: None,
        }
    }

    fn remind(&mut self, wanted: Option<&str>, seen: &[Seen], now: Instant) {
        let remind_at = *self.remind_at.get_or_insert(now + LINK_WAIT);
        if now >= remind_at {
            self.remind_at = Some(now + REMINDER);
            warn!("{}", missing(wanted, seen));
        }
    }
}

/// The interface that was asked for; else the first with a link; else, once the links had
/// their time, the first of all.
fn choose(wanted: Option<&str>, seen: &[Seen], waited: Duration) -> Option<String> {
    let chosen = match wanted {
        Some(wanted) => seen.iter().find(|interface| interface.name == wanted),
        None => seen
            .iter()
            .find(|interface| interface.link)
            .or_else(|| seen.first().filter(|_| waited >= LINK_WAIT)),
    };
    chosen.map(|interface| interface.name.clone())
}

/// What a person can do about having no interface.
fn missing(wanted: Option<&str>, seen: &[Seen]) -> String {
    let names: Vec<&str> = seen.iter().map(|interface| interface.name.as_str()).collect();
    match (wanted, names.is_empty()) {
        (Some(wanted), false) => format!(
            "there is no interface {wanted:?}, only {}; correct `interface` in pxeberry.toml",
            names.join(", ")
        ),
        (Some(wanted), true) => {
            format!(
                "still no interface {wanted:?}; plug in its adapter, or remove `interface` \
                     from pxeberry.toml"
            )
        }
        (None, _) => "still no wired network interface; plug in a USB Ethernet adapter".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(interfaces: &[(&str, bool)]) -> Vec<Seen> {
        let seen = interfaces.iter();
        seen.map(|(name, link)| Seen { name: (*name).to_owned(), link: *link }).collect()
    }

    #[test]
    fn the_interface_of_the_config_is_taken_with_or_without_a_link_and_no_other() {
        let both = seen(&[("eth0", true), ("eth1", false)]);
        assert_eq!(choose(Some("eth1"), &both, Duration::ZERO).as_deref(), Some("eth1"));
        assert_eq!(choose(Some("eth7"), &both, LINK_WAIT * 2), None);
    }

    #[test]
    fn a_link_decides_at_once_and_the_name_decides_when_no_link_comes() {
        let late = seen(&[("eth0", false), ("eth1", true)]);
        assert_eq!(choose(None, &late, Duration::ZERO).as_deref(), Some("eth1"));
        let dark = seen(&[("eth0", false), ("eth1", false)]);
        assert_eq!(choose(None, &dark, LINK_WAIT / 2), None);
        assert_eq!(choose(None, &dark, LINK_WAIT).as_deref(), Some("eth0"));
        assert_eq!(choose(None, &[], LINK_WAIT), None);
    }

    #[test]
    fn a_person_is_told_what_to_do_about_a_missing_interface() {
        let line = missing(Some("eth7"), &seen(&[("eth0", true), ("eth1", true)]));
        assert!(line.contains("\"eth7\"") && line.contains("only eth0, eth1"), "{line}");
        assert!(missing(None, &[]).contains("USB Ethernet adapter"));
    }
}
