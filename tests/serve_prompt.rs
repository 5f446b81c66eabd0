//! The prompt on the box's own console: a real terminal, which `script` makes, a real server,
//! and what a person types.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};

use net::api::SOCKET;
use net::appliance::PROGRAM;
use net::log::Log;
use net::{Appliance, isolated, tools};

/// A terminal with a person at it.
struct Terminal {
    process: Child,
    keyboard: ChildStdin,
    screen: Log,
}

impl Terminal {
    fn new() -> Terminal {
        tools::need("script");
        let command = format!("exec {PROGRAM} prompt $(tty) --socket {SOCKET}");
        let mut process = Command::new("script")
            .args(["--quiet", "--flush", "--command", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keyboard = process.stdin.take().unwrap();
        let screen = Log::collect(process.stdout.take().unwrap());
        Terminal { process, keyboard, screen }
    }

    fn types(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_person_at_the_console_sees_all_and_arms_a_machine() {
    isolated(|_lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let mut terminal = Terminal::new();
        terminal.types("");
        terminal.types("status");
        terminal.screen.wait_for("giving addresses from");
        terminal.types("disarm node-1");
        terminal.screen.wait_for("node-1 is disarmed");
        terminal.types("pxeberry arm node-1");
        terminal.screen.wait_for("node-1 is armed: its next network boot installs it");
        terminal.types("machines");
        terminal.screen.wait_for("52:54:00:00:00:01");
        terminal.types("arm node-9");
        terminal.screen.wait_for("no machine of this name or MAC is known here");
        terminal.types("halt");
        terminal.screen.wait_for("there is no command \"halt\"; type help");
        terminal.types("help");
        terminal.screen.wait_for("rescan                read the sticks again");
        let screen = terminal.screen.lines().join("\n");
        assert!(screen.contains("pxeberry> "), "{screen}");
    });
}

#[test]
fn without_servers_the_console_says_so_and_goes_on() {
    isolated(|_lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let mut terminal = Terminal::new();
        terminal.types("status");
        terminal.screen.wait_for("control.sock");
        let _server = appliance.serves();
        terminal.types("images");
        terminal.screen.wait_for("coreos/1185.3.0");
    });
}
