//! The switches of ours on the kernel's command line. Pure, apart from reading the file.

use std::fs;

/// What the command line asks of PID 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switches {
    /// `pxeberry.watchdog=off` keeps the watchdog closed: QEMU's raspi machines reset the
    /// moment it is opened.
    pub watchdog: bool,
}

/// Reads `/proc/cmdline`; where it cannot be read, nothing is switched off.
pub fn read() -> Switches {
    parse(&fs::read_to_string("/proc/cmdline").unwrap_or_default())
}

/// The last word wins, as in the kernel; words of others are passed over.
pub fn parse(line: &str) -> Switches {
    let mut switches = Switches { watchdog: true };
    for word in line.split_whitespace() {
        match word {
            "pxeberry.watchdog=off" => switches.watchdog = false,
            "pxeberry.watchdog=on" => switches.watchdog = true,
            _ => {}
        }
    }
    switches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_runs_unless_it_is_switched_off_in_so_many_words() {
        assert!(parse("console=tty1 panic=10\n").watchdog);
        assert!(parse("pxeberry.watchdog=offline xpxeberry.watchdog=off").watchdog);
        assert!(!parse("quiet pxeberry.watchdog=off\n").watchdog);
        assert!(parse("pxeberry.watchdog=off pxeberry.watchdog=on").watchdog);
    }
}
