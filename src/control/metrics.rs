//! `/metrics`: the text that Prometheus reads (exposition format 0.0.4). Pure but for the
//! function that takes the numbers from the world.
//!
//! Names follow Prometheus' conventions: base units, `_total` for what only grows. No label
//! holds what a stranger may choose, so the number of series is fixed.

use std::fmt::{Display, Write};

use super::status::conditions;
use crate::fleet::life::Phase;
use crate::panel::pattern::{State, table};
use crate::verify::Verdict;
use crate::world::counters::{Counted, DHCP_KINDS, HTTP_CLASSES};
use crate::world::{Role, World};

/// The media type that Prometheus wants.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const PHASES: [(Phase, &str); 6] = [
    (Phase::Armed, "armed"),
    (Phase::Installing, "installing"),
    (Phase::Delivered, "delivered"),
    (Phase::Trial, "trial"),
    (Phase::Installed, "installed"),
    (Phase::Failed, "failed"),
];

const ROLES: [&str; 4] = ["probing", "server", "proxy", "silent"];

/// Linux's `USER_HZ`, the same on every machine that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Everything that is shown.
#[derive(Debug, Default)]
struct Numbers {
    uptime: u64,
    resident: u64,
    processor: f64,
    descriptors: u64,
    conditions: Vec<State>,
    role: &'static str,
    leases: u64,
    pool: u64,
    machines: [u64; PHASES.len()],
    sticks: u64,
    images: Vec<&'static str>,
    problems: u64,
    transfers: u64,
    counted: Counted,
}

/// The numbers as they are now.
pub fn metrics(world: &World) -> String {
    let shelf = world.shelf();
    let now = world.now();
    let named = shelf.inventory.machines().filter_map(|(mac, _)| world.phase(mac));
    let phases: Vec<Phase> = named.collect();
    let of_phase =
        |(wanted, _): (Phase, _)| phases.iter().filter(|phase| **phase == wanted).count() as u64;
    let image = |image| {
        let report = shelf.verdicts.report_of(image, &shelf.inventory);
        report.map_or("off", |report| report.verdict.name())
    };
    render(&Numbers {
        uptime: world.uptime().as_secs(),
        resident: super::status::memory_kib() * 1024,
        processor: processor_seconds(),
        descriptors: std::fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64),
        conditions: conditions(world),
        role: match world.role() {
            Role::Probing => "probing",
            Role::Server => "server",
            Role::Proxy(_) => "proxy",
            Role::Silent(_) => "silent",
        },
        leases: world.with_fleet(|fleet| {
            fleet.leases.all().filter(|(_, binding)| binding.expires > now).count() as u64
        }),
        pool: world.config.server.local.pool.size().into(),
        machines: PHASES.map(of_phase),
        sticks: shelf.sticks as u64,
        images: shelf.inventory.images.iter().map(image).collect(),
        problems: (shelf.refused.len() + shelf.inventory.problems.len()) as u64,
        transfers: world.transfers.count() as u64,
        counted: world.counters.now(),
    })
}

/// What this process has computed (proc(5), `stat`: utime and stime).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u32 =
        fields.split(' ').skip(12).take(2).filter_map(|word| word.parse::<u32>().ok()).sum();
    f64::from(ticks) / TICKS_PER_SECOND
}

fn render(numbers: &Numbers) -> String {
    let mut text = Text::default();
    text.one("pxeberry_build_info", "gauge", "The program, by its version.", || {
        vec![(vec![("version", env!("CARGO_PKG_VERSION"))], 1)]
    });
    text.plain("pxeberry_uptime_seconds", "gauge", "Since the servers started.", numbers.uptime);
    text.one(
        "pxeberry_state",
        "gauge",
        "1 for each state that holds; the LEDs show the foremost.",
        || {
            let holds = |state: &State| u64::from(numbers.conditions.contains(state));
            let states = table().iter().map(|entry| entry.state);
            states.map(|state| (vec![("state", state.name())], holds(&state))).collect()
        },
    );
    text.one("pxeberry_dhcp_role", "gauge", "1 for what this box is to the LAN.", || {
        let holds = |role: &str| u64::from(role == numbers.role);
        ROLES.map(|role| (vec![("role", role)], holds(role))).into()
    });
    network(&mut text, numbers);
    fleet(&mut text, numbers);
    let (memory, time) = ("process_resident_memory_bytes", "process_cpu_seconds_total");
    text.plain(memory, "gauge", "Memory of the servers.", numbers.resident);
    text.plain(time, "counter", "Processor time of the servers.", numbers.processor);
    text.plain("process_open_fds", "gauge", "Open descriptors.", numbers.descriptors);
    text.0
}

fn network(text: &mut Text, numbers: &Numbers) {
    let counted = &numbers.counted;
    text.one(
        "pxeberry_dhcp_messages_total",
        "counter",
        "DHCP messages, heard (discover, request, decline, release, inform) and sent (offer, \
         ack, nak).",
        || {
            let kinds = DHCP_KINDS.iter().zip(counted.dhcp);
            kinds.map(|((_, name), count)| (vec![("type", *name)], count)).collect()
        },
    );
    text.plain(
        "pxeberry_dhcp_refused_packets_total",
        "counter",
        "Packets to the DHCP port that are no request of a machine.",
        counted.dhcp_malformed,
    );
    text.plain("pxeberry_dhcp_leases", "gauge", "Addresses that are lent.", numbers.leases);
    text.plain("pxeberry_dhcp_pool_addresses", "gauge", "Addresses to lend.", numbers.pool);
    text.one("pxeberry_http_responses_total", "counter", "Answers by HTTP.", || {
        let classes = HTTP_CLASSES.iter().zip(counted.http);
        classes.map(|(class, count)| (vec![("code", *class)], count)).collect()
    });
    let (http, tftp) = ("pxeberry_http_sent_bytes_total", "pxeberry_tftp_sent_bytes_total");
    text.plain(http, "counter", "Bytes sent by HTTP.", counted.http_bytes);
    text.plain("pxeberry_tftp_files_total", "counter", "Files begun.", counted.tftp_files);
    text.plain(tftp, "counter", "Bytes of files sent by TFTP.", counted.tftp_bytes);
    text.plain("pxeberry_transfers", "gauge", "Files on their way now.", numbers.transfers);
}

fn fleet(text: &mut Text, numbers: &Numbers) {
    text.one("pxeberry_machines", "gauge", "Machines of the sticks by their state.", || {
        let states = PHASES.iter().zip(numbers.machines);
        states.map(|((_, name), count)| (vec![("state", *name)], count)).collect()
    });
    text.plain("pxeberry_sticks", "gauge", "Sticks that are plugged in.", numbers.sticks);
    text.one("pxeberry_images", "gauge", "Images by what is known of their origin.", || {
        let all = Verdict::NAMES.iter().chain(&["off"]);
        let count = |name: &str| numbers.images.iter().filter(|found| **found == name).count();
        all.map(|name| (vec![("verification", *name)], count(name) as u64)).collect()
    });
    text.plain("pxeberry_problems", "gauge", "Problems on the sticks.", numbers.problems);
}

type Labels = Vec<(&'static str, &'static str)>;

#[derive(Default)]
struct Text(String);

impl Text {
    fn plain(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.one(name, kind, help, || vec![(Vec::new(), value)]);
    }

    /// One family: all its samples stand together.
    fn one<V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl FnOnce() -> Vec<(Labels, V)>,
    ) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples() {
            let labels: Vec<String> =
                labels.iter().map(|(key, word)| format!("{key}=\"{word}\"")).collect();
            let braces = if labels.is_empty() { String::new() } else { labels.join(",") };
            let _ = match braces.as_str() {
                "" => writeln!(self.0, "{name} {value}"),
                labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_a_series_and_the_ones_that_hold_are_one() {
        let text = render(&Numbers {
            conditions: vec![State::Ready],
            role: "server",
            images: vec!["verified", "off"],
            machines: [1, 2, 3, 6, 4, 5],
            ..Numbers::default()
        });
        assert!(text.contains("pxeberry_state{state=\"ready\"} 1\n"), "{text}");
        assert!(text.contains("pxeberry_dhcp_role{role=\"server\"} 1\n"), "{text}");
        assert!(text.contains("pxeberry_dhcp_role{role=\"proxy\"} 0\n"), "{text}");
        assert!(text.contains("pxeberry_machines{state=\"failed\"} 5\n"), "{text}");
        assert!(text.contains("pxeberry_images{verification=\"verified\"} 1\n"), "{text}");
        let ones = text.lines().filter(|line| line.starts_with("pxeberry_state{"));
        assert_eq!(ones.filter(|line| line.ends_with(" 1")).count(), 1);
    }
}
