//! Keeps what real clients send. `PXEBERRY_RECORD=FOLDER` makes each scenario write every
//! packet of its clients there, in the form of tests/data/dhcp/packets; whoever takes one over
//! writes the program and its version into the first line.

use std::fs;
use std::path::PathBuf;

/// The first line of each file, until somebody knows better.
const BY: &str = "# sent by: ?";

/// The packets of one scenario.
pub struct Recorder {
    folder: Option<PathBuf>,
    kept: Vec<Vec<u8>>,
}

impl Default for Recorder {
    fn default() -> Recorder {
        // The scenario's name is an argument of the second run (see `isolated`).
        let name = std::env::args().nth(2).unwrap_or_default();
        let folder = std::env::var_os("PXEBERRY_RECORD");
        Recorder { folder: folder.map(|all| PathBuf::from(all).join(name)), kept: Vec::new() }
    }
}

impl Recorder {
    /// Writes a DHCP packet that a client sent to this port, unless it said the same before.
    pub fn hears(&mut self, port: u16, dhcp: &[u8]) {
        let Some(folder) = &self.folder else { return };
        let mut words = dhcp.to_vec();
        // Transaction and seconds do not make another message of it.
        words[4..10].fill(0);
        if self.kept.contains(&words) {
            return;
        }
        self.kept.push(words);
        let door = if port == 4011 { "-4011" } else { "" };
        let name = format!("{}-{}{door}.hex", self.kept.len(), message(dhcp));
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(name), text(dhcp)).unwrap();
    }
}

/// What option 53 says; it is the first one nearly everywhere, and nowhere else in doubt.
fn message(dhcp: &[u8]) -> &'static str {
    const NAMES: [&str; 8] =
        ["discover", "offer", "request", "decline", "ack", "nak", "release", "inform"];
    let kind = dhcp[240..].windows(3).find(|bytes| bytes[..2] == [53, 1]).map(|bytes| bytes[2]);
    let name = kind.and_then(|kind| NAMES.get(usize::from(kind).wrapping_sub(1)));
    name.copied().unwrap_or("bootp")
}

fn text(dhcp: &[u8]) -> String {
    let hex = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
    let lines: Vec<String> = dhcp.chunks(16).map(|line| hex(line).join(" ")).collect();
    format!("{BY}\n{}\n", lines.join("\n"))
}
