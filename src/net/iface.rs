//! What the kernel says about network interfaces, read from sysfs.

use std::fs;
use std::path::Path;

use super::Mac;

const SYSFS: &str = "/sys/class/net";

/// ARPHRD_ETHER (Linux `if_arp.h`): the only link type that network boot knows.
const ARPHRD_ETHER: &str = "1";

/// Every wired Ethernet interface, in name order: no loopback, no Wi-Fi, no bridge port.
pub fn wired() -> Vec<String> {
    let Ok(entries) = fs::read_dir(SYSFS) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_wired(name))
        .collect();
    names.sort();
    names
}

/// Whether an interface of this name exists.
pub fn exists(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && Path::new(SYSFS).join(name).exists()
}

/// Whether a cable with something alive at its other end is in the interface.
pub fn has_link(name: &str) -> bool {
    attribute(name, "carrier").is_some_and(|carrier| carrier == "1")
}

/// The kernel's number for the interface.
pub fn index(name: &str) -> Option<i32> {
    attribute(name, "ifindex")?.parse().ok()
}

/// The interface's own hardware address.
pub fn mac(name: &str) -> Option<Mac> {
    attribute(name, "address")?.parse().ok()
}

/// The first wired interface with a link.
pub fn first_with_link() -> Option<String> {
    wired().into_iter().find(|name| has_link(name))
}

fn is_wired(name: &str) -> bool {
    let wireless = Path::new(SYSFS).join(name).join("wireless").exists();
    let ethernet = attribute(name, "type").is_some_and(|kind| kind == ARPHRD_ETHER);
    ethernet && !wireless && name != "lo"
}

fn attribute(name: &str, attribute: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new(SYSFS).join(name).join(attribute)).ok()?;
    Some(text.trim().to_owned())
}
