//! Who is behind an address, as the kernel saw it on the wire: where another server gives
//! the addresses, its lease table is not ours to read.

use std::fs;
use std::net::Ipv4Addr;

use super::Mac;

/// The kernel's ARP table, of this network namespace.
const TABLE: &str = "/proc/net/arp";

/// The machine at `address` on `interface`, if the kernel has talked with it lately.
pub fn machine_at(address: Ipv4Addr, interface: &str) -> Option<Mac> {
    find(&fs::read_to_string(TABLE).ok()?, address, interface)
}

/// One line a neighbour: address, type, flags, MAC, mask, interface (proc(5)).
fn find(table: &str, address: Ipv4Addr, interface: &str) -> Option<Mac> {
    /// `ATF_COM` of Linux `if_arp.h`: the entry has been answered for.
    const COMPLETE: u32 = 2;
    let entries = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [at, _, flags, mac, _, on] = columns.as_slice() else {
            return None;
        };
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).ok()?;
        let here = at.parse() == Ok(address) && *on == interface && flags & COMPLETE != 0;
        here.then(|| mac.parse().ok())?
    });
    entries.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
IP address       HW type     Flags       HW address            Mask     Device
192.168.1.50     0x1         0x2         52:54:00:00:00:01     *        eth0
192.168.1.51     0x1         0x0         00:00:00:00:00:00     *        eth0
192.168.1.50     0x1         0x2         52:54:00:00:00:02     *        eth1
";

    #[test]
    fn a_neighbour_is_found_on_its_own_interface_once_it_has_answered() {
        let at = |address: &str, interface: &str| find(SAMPLE, address.parse().unwrap(), interface);
        assert_eq!(at("192.168.1.50", "eth0"), "52:54:00:00:00:01".parse().ok());
        assert_eq!(at("192.168.1.50", "eth1"), "52:54:00:00:00:02".parse().ok());
        assert_eq!(at("192.168.1.51", "eth0"), None);
        assert_eq!(at("192.168.1.52", "eth0"), None);
    }
}
