//! A machine that was told to install, and runs the system in memory: our script, by real
//! shells, with few programs. Only the installer and `reboot` are stand-ins that say how they
//! were called.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::net::stick::{NODE_1, Stick};
use super::net::tools::{self, Ran};
use super::net::{Appliance, Firmware, Lan, Machine, Server};

/// Folder with everything that the script may call, and no more.
pub const PATH: &str = "/run/path";

/// The file that the stand-ins write to.
pub const CALLS: &str = "/run/calls";

/// Says how it was called, and keeps the config that it was given.
const INSTALLER: &str = "#!/bin/sh
echo \"coreos-install $*\" >>/run/calls
while [ $# -gt 0 ]; do
    [ \"$1\" = -c ] && cp \"$2\" /run/config
    shift
done
";

pub struct Scene {
    pub appliance: Appliance,
    pub stick: Stick,
    pub server: Server,
    pub machine: Machine,
}

impl Scene {
    /// node-1 was told to install and runs the system in memory, with these programs.
    pub fn new(lan: &Lan, prepare: impl FnOnce(&Stick), programs: &[&str]) -> Scene {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        prepare(&stick);
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        machine.tftp_text("pxelinux.cfg/default");
        // As in the installer's system: a /tmp of its own.
        machine.run("mount", &["-t", "tmpfs", "tmpfs", "/tmp"]).good();
        fs::create_dir(PATH).unwrap();
        for program in ["cat", "cp", "tr", "sed", "sync", "uname"].iter().chain(programs) {
            let folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
            let found = folders.map(|folder| format!("{folder}/{program}"));
            let found = found.iter().find(|path| fs::exists(path).unwrap());
            symlink(found.expect(program), format!("{PATH}/{program}")).unwrap();
        }
        let scene = Scene { appliance, stick, server, machine };
        scene.program("coreos-install", INSTALLER);
        scene.program("reboot", "#!/bin/sh\necho reboot >>/run/calls\n");
        scene.command_line("BOOT_IMAGE=coreos_production_pxe.vmlinuz console=tty0");
        scene
    }

    pub fn program(&self, name: &str, text: &str) {
        let path = format!("{PATH}/{name}");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What /proc/cmdline says on the machine.
    pub fn command_line(&self, text: &str) {
        fs::write("/run/cmdline", format!("{text}\n")).unwrap();
        self.machine.run("mount", &["--bind", "/run/cmdline", "/proc/cmdline"]).good();
    }

    /// Fetches install.sh and runs it, as the unit of coreos-cloudinit does: without $HOME.
    pub fn installs(&self, shell: &str) -> Ran {
        tools::need(shell);
        let script = self.machine.get("/cloud-configs/install.sh");
        fs::write("/run/install.sh", script).unwrap();
        let path = format!("PATH={PATH}");
        self.machine.run("env", &["-i", &path, &format!("/bin/{shell}"), "/run/install.sh"])
    }

    pub fn state(&self) -> String {
        self.appliance.machine(NODE_1).0
    }
}

/// What the stand-ins wrote.
pub fn calls() -> String {
    fs::read_to_string(CALLS).unwrap_or_default()
}
