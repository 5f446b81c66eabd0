//! What a person with a screen on the box reads: what it is, where its page is, what it does.
//! And when it is said again. Pure.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::net::Subnet;
use crate::world::Role;

/// The kernel puts its time and our name before each line; 80 columns are on any screen.
const WIDTH: usize = 54;

/// While a box starts, all of it changes: what is said has been so for this long.
const STEADY: Duration = Duration::from_secs(2);

/// The search for another DHCP server ends in four seconds, where there is a link.
const STILL_SEARCHING: Duration = Duration::from_secs(10);

/// Not more often, whatever goes on.
const PAUSE: Duration = Duration::from_secs(10);

/// Lines that push it off a small screen; then it is said again, now and then.
const SCREEN: u64 = 25;
const AGAIN: Duration = Duration::from_secs(120);

/// All that it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `eth0`
    pub interface: String,
    /// Whether a cable with something alive is in it.
    pub link: bool,
    /// Our own.
    pub subnet: Subnet,
    /// The page's.
    pub port: u16,
    /// `pxeberry.local`
    pub name: Option<String>,
    /// What we are to the LAN.
    pub role: Role,
    /// From what we give.
    pub pool: String,
    /// The sticks.
    pub sticks: Sticks,
}

/// The sticks, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sticks {
    /// None is there.
    None,
    /// They are being read.
    Reading,
    /// What is there does not serve.
    Refused,
    /// So many images and machines.
    Ready(usize, usize),
}

/// The lines.
pub fn lines(facts: &Facts) -> Vec<String> {
    let rule = "=".repeat(WIDTH);
    let head =
        concat!("this box installs machines by network (pxeberry ", env!("CARGO_PKG_VERSION"), ")");
    let mut lines = vec![rule.clone(), head.to_owned(), String::new()];
    if let Some(address) = address(facts) {
        lines.extend(row("page", &url(&address.to_string(), facts.port)));
        lines.extend(facts.name.iter().flat_map(|name| row("or", &url(name, facts.port))));
    }
    lines.extend(row(&facts.interface, &at(facts)));
    lines.extend(row("LAN", &role(facts)));
    lines.extend(row("sticks", &sticks(facts.sticks)));
    lines.push(rule);
    lines
}

/// None: nobody can reach us now.
fn address(facts: &Facts) -> Option<Ipv4Addr> {
    let has_one = matches!(facts.role, Role::Server | Role::Proxy(_));
    (has_one && facts.link).then(|| facts.subnet.address())
}

fn url(host: &str, port: u16) -> String {
    if port == 80 { format!("http://{host}/") } else { format!("http://{host}:{port}/") }
}

fn at(facts: &Facts) -> String {
    match (facts.link, address(facts)) {
        (false, _) => "NO LINK: plug a cable into the LAN".to_owned(),
        (true, None) => "no address yet".to_owned(),
        (true, Some(_)) => facts.subnet.to_string(),
    }
}

fn role(facts: &Facts) -> String {
    match facts.role {
        Role::Probing => "looks for another DHCP server".to_owned(),
        Role::Server => format!("gives addresses {}", facts.pool),
        Role::Proxy(Some(other)) => format!("works beside the DHCP server {other}"),
        Role::Proxy(None) => "mode = \"proxy\": names the boot files only".to_owned(),
        Role::Silent(Some(other)) => format!("no address yet from the DHCP server {other}"),
        Role::Silent(None) => "no DHCP server has an address for this box".to_owned(),
    }
}

fn sticks(sticks: Sticks) -> String {
    let count = |count, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    match sticks {
        Sticks::None => "none: plug one in".to_owned(),
        Sticks::Reading => "being read".to_owned(),
        Sticks::Refused => "refused; the page says why".to_owned(),
        Sticks::Ready(images, machines) => {
            format!("{}, {}", count(images, "image"), count(machines, "machine"))
        }
    }
}

fn row(key: &str, text: &str) -> Vec<String> {
    const KEY: usize = 8;
    let mut rows = Vec::new();
    let mut line = format!("  {key:KEY$}");
    let indent = line.len();
    for word in text.split(' ') {
        if line.len() > indent && line.len() + 1 + word.len() > WIDTH {
            rows.push(std::mem::replace(&mut line, " ".repeat(indent)));
        }
        if line.len() > indent {
            line.push(' ');
        }
        line.push_str(word);
    }
    rows.push(line);
    rows
}

/// When it is said.
#[derive(Debug, Default)]
pub struct Pacer {
    /// What was seen last, and since when.
    seen: Option<(Facts, Instant)>,
    /// What was said last, when, and how many lines there had been then.
    said: Option<(Facts, Instant, u64)>,
}

impl Pacer {
    /// Whether it is time; then it is said. `lines`: how many others there have been.
    pub fn is_due(&mut self, facts: &Facts, lines: u64, now: Instant) -> bool {
        let since = match &self.seen {
            Some((seen, since)) if seen == facts => *since,
            _ => {
                self.seen = Some((facts.clone(), now));
                now
            }
        };
        let steady = if facts.role == Role::Probing { STILL_SEARCHING } else { STEADY };
        let due = match &self.said {
            None => now >= since + steady,
            Some((said, when, before)) => {
                let changed = said != facts && now >= since + steady && now >= *when + PAUSE;
                // What never comes to rest is said, too.
                let restless = said != facts && now >= *when + AGAIN;
                let gone = lines.saturating_sub(*before) >= SCREEN && now >= *when + AGAIN;
                changed || restless || gone
            }
        };
        if due {
            self.said = Some((facts.clone(), now, lines));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::probe::OtherServer;

    fn facts(role: Role) -> Facts {
        Facts {
            interface: "eth0".to_owned(),
            link: true,
            subnet: "10.10.10.1/24".parse().unwrap(),
            port: 80,
            name: Some("pxeberry.local".to_owned()),
            role,
            pool: "10.10.10.100-10.10.10.250".to_owned(),
            sticks: Sticks::Ready(1, 12),
        }
    }

    /// What stands between head and end.
    fn body(facts: &Facts) -> Vec<String> {
        let lines = lines(facts);
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{lines:#?}");
        lines[3..lines.len() - 1].to_vec()
    }

    #[test]
    fn a_server_says_where_its_page_is_and_what_it_gives() {
        let expected = [
            "======================================================",
            concat!(
                "this box installs machines by network (pxeberry ",
                env!("CARGO_PKG_VERSION"),
                ")"
            ),
            "",
            "  page    http://10.10.10.1/",
            "  or      http://pxeberry.local/",
            "  eth0    10.10.10.1/24",
            "  LAN     gives addresses 10.10.10.100-10.10.10.250",
            "  sticks  1 image, 12 machines",
            "======================================================",
        ];
        assert_eq!(lines(&facts(Role::Server)), expected);
    }

    #[test]
    fn a_guest_names_the_other_server_and_breaks_its_line() {
        let hardware = [0x52, 0x54, 0, 0, 0, 0x77];
        let other = OtherServer { address: Ipv4Addr::new(192, 168, 1, 1), hardware };
        let guest = Facts {
            subnet: "192.168.1.50/24".parse().unwrap(),
            port: 8080,
            name: None,
            sticks: Sticks::None,
            ..facts(Role::Proxy(Some(other)))
        };
        let expected = [
            "  page    http://192.168.1.50:8080/",
            "  eth0    192.168.1.50/24",
            "  LAN     works beside the DHCP server 192.168.1.1",
            "          (52:54:00:00:00:77)",
            "  sticks  none: plug one in",
        ];
        assert_eq!(body(&guest), expected);
    }

    #[test]
    fn without_a_link_or_an_address_no_page_is_named() {
        let dark = Facts { link: false, ..facts(Role::Server) };
        assert_eq!(body(&dark)[0], "  eth0    NO LINK: plug a cable into the LAN");
        for role in [Role::Probing, Role::Silent(None)] {
            let lines = body(&facts(role));
            assert_eq!(lines[0], "  eth0    no address yet");
            assert!(!lines.concat().contains("http"), "{lines:?}");
        }
    }

    #[test]
    fn it_is_said_when_all_is_steady_and_again_after_a_change_but_not_all_the_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pacer = Pacer::default();
        let (one, other) = (facts(Role::Server), facts(Role::Silent(None)));
        assert!(!pacer.is_due(&other, 0, at(0)));
        assert!(!pacer.is_due(&one, 0, at(1)));
        assert!(!pacer.is_due(&one, 0, at(2)));
        assert!(pacer.is_due(&one, 0, at(3)));
        assert!(!pacer.is_due(&one, 0, at(4)), "once");
        assert!(!pacer.is_due(&other, 0, at(5)));
        assert!(!pacer.is_due(&other, 0, at(12)), "too soon");
        assert!(pacer.is_due(&other, 0, at(13)));
        assert!(!pacer.is_due(&other, 24, at(900)), "it is still on the screen");
        assert!(pacer.is_due(&other, 25, at(900)));
        assert!(!pacer.is_due(&other, 500, at(1_019)));
        assert!(pacer.is_due(&other, 500, at(1_020)));
    }

    #[test]
    fn a_search_that_ends_soon_is_not_worth_a_banner_and_a_missing_cable_is() {
        let start = Instant::now();
        let mut pacer = Pacer::default();
        let searching = facts(Role::Probing);
        for seconds in 0..10 {
            assert!(!pacer.is_due(&searching, 0, start + Duration::from_secs(seconds)));
        }
        assert!(pacer.is_due(&searching, 0, start + Duration::from_secs(10)));
    }

    #[test]
    fn what_never_comes_to_rest_is_said_every_two_minutes() {
        let start = Instant::now();
        let mut pacer = Pacer::default();
        let roles = [facts(Role::Server), facts(Role::Probing), facts(Role::Silent(None))];
        let mut said = 0;
        pacer.is_due(&roles[0], 0, start);
        for second in 2..1_202 {
            let facts = &roles[usize::try_from(second).unwrap() % 3];
            said += u32::from(pacer.is_due(facts, 0, start + Duration::from_secs(second)));
        }
        assert!(said <= 10, "{said} times in twenty minutes");
    }
}
