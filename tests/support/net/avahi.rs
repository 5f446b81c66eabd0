//! avahi, the multicast DNS of most Linux systems, on a machine of the LAN.

use std::fs;
use std::process::Command;

use super::appliance::Server;
use super::lan::Machine;
use super::{client, tools};

/// Of its own in each machine: the others see another one.
const FOLDER: &str = "/run/avahi-daemon";

const BUS: &str = "unix:path=/run/avahi-daemon/bus";

const BUS_CONF: &str =
    "<busconfig><type>system</type><listen>unix:path=/run/avahi-daemon/bus</listen>
<auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>
<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>\n";

/// The running one, with a message bus.
pub struct Avahi<'a> {
    machine: &'a Machine,
    /// Its lines.
    pub daemon: Server,
    bus: Server,
}

impl Avahi<'_> {
    /// Starts it on a machine that has an address, which it calls `name`.
    pub fn on<'a>(machine: &'a Machine, name: &str) -> Avahi<'a> {
        for tool in ["avahi-browse", "avahi-daemon", "avahi-resolve", "dbus-daemon"] {
            tools::need(tool);
        }
        fs::create_dir_all(FOLDER).unwrap();
        client::be_root_alone(machine);
        machine.run("mount", &["-t", "tmpfs", "tmpfs", FOLDER]).good();
        let conf = format!("[server]\nhost-name={name}\nuse-ipv6=no\nallow-interfaces=eth0\n");
        for (file, text) in [("avahi.conf", conf.as_str()), ("bus.conf", BUS_CONF)] {
            let write = format!("cat >{FOLDER}/{file} <<'END'\n{text}END\n");
            machine.run("sh", &["-c", &write]).good();
        }
        let words = ["dbus-daemon", "--config-file=/run/avahi-daemon/bus.conf", "--nofork"];
        let words = [&words[..], &["--nopidfile", "--print-address=2"]].concat();
        let bus = Server::spawn(&mut machine.namespace.command(&words));
        bus.log.wait_for(BUS);
        let words = ["avahi-daemon", "-f", "/run/avahi-daemon/avahi.conf"];
        let words = [&words[..], &["--no-drop-root", "--no-chroot", "--no-rlimits"]].concat();
        let daemon = Server::spawn(with_bus(&mut machine.namespace.command(&words)));
        daemon.log.wait_for("Server startup complete");
        Avahi { machine, daemon, bus }
    }

    /// The address that a name has; none: nobody answers.
    pub fn address_of(&self, name: &str) -> Option<String> {
        let words = tools::limited("avahi-resolve", &["-4", "-n", name]);
        let ran = tools::finish(with_bus(&mut self.machine.namespace.command(&words)));
        ran.text().split_whitespace().nth(1).map(str::to_owned)
    }

    /// Looks for web pages from now on: each that comes (`=`) and goes (`-`) is a line.
    pub fn browses(&self) -> Server {
        let script = "exec avahi-browse -rp _http._tcp 1>&2";
        let mut command = self.machine.namespace.command(&["sh", "-c", script]);
        Server::spawn(with_bus(&mut command))
    }
}

fn with_bus(command: &mut Command) -> &mut Command {
    command.env("DBUS_SYSTEM_BUS_ADDRESS", BUS)
}
