//! DHCP clients of real systems, each run as its system runs it. They configure the card
//! themselves; what they learn beside the address is in their lines.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::appliance::Server;
use super::lan::Machine;
use super::tools;

/// What udhcpc and dhclient call with their news. Debian's own scripts would change the
/// host's name servers.
const UDHCPC_SCRIPT: &str = "#!/bin/sh
case $1 in
bound | renew) ip address replace \"$ip/$mask\" dev \"$interface\" ;;
deconfig) ip address flush dev \"$interface\" ;;
esac
echo \"event $1 $ip server=$serverid lease=$lease router=$router dns=$dns boot=$boot_file\" >&2
";

/// The same for dhclient; with a failing exit it declines the address (dhclient-script(8)).
const DHCLIENT_SCRIPT: &str = "#!/bin/sh
case $reason in
BOUND | RENEW | REBIND | REBOOT)
    if [ -e /run/look-first ]; then
        busybox arping -D -q -c 2 -w 2 -I \"$interface\" \"$new_ip_address\" || exit 1
    fi
    ip address replace \"$new_ip_address/$new_subnet_mask\" dev \"$interface\" ;;
RELEASE | EXPIRE | FAIL) ip address flush dev \"$interface\" ;;
esac
echo \"event $reason $new_ip_address router=$new_routers dns=$new_domain_name_servers\" >&2
";

/// And for dhcpcd, which needs no help to configure the card.
const DHCPCD_SCRIPT: &str = "#!/bin/sh
echo \"event $reason $new_ip_address router=$new_routers dns=$new_domain_name_servers\" >&2
";

/// Root alone, whatever the test runs as: systemd-networkd's own user is root here, and
/// dhcpcd's does not exist, because a user namespace has no second user to change to.
const PASSWD: &str =
    "root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/false\nsystemd-network:x:0:0::/:/bin/false\n";

/// busybox's udhcpc, in the foreground.
pub fn udhcpc(machine: &Machine, more: &[&str]) -> Server {
    tools::need("busybox");
    let script = script("/run/udhcpc.sh", UDHCPC_SCRIPT);
    let words = ["busybox", "udhcpc", "-f", "-i", "eth0", "-s", script];
    Server::spawn(&mut machine.namespace.command(&[&words[..], more].concat()))
}

/// ISC's dhclient with these lines in its dhclient.conf. It remembers its leases.
pub fn dhclient(machine: &Machine, conf: &str, more: &[&str]) -> Server {
    tools::need("dhclient");
    fs::write("/run/dhclient.conf", conf).unwrap();
    let script = script("/run/dhclient.sh", DHCLIENT_SCRIPT);
    let files = ["-cf", "/run/dhclient.conf", "-lf", DHCLIENT_LEASES, "-pf", "/run/pid"];
    let words = ["dhclient", "-d", "-v", "-sf", script];
    let words = [&words[..], &files, more, &["eth0"]].concat();
    Server::spawn(&mut machine.namespace.command(&words))
}

/// Where it remembers them.
pub const DHCLIENT_LEASES: &str = "/run/dhclient.leases";

/// dhcpcd on one machine, which remembers its lease.
pub struct Dhcpcd<'a>(&'a Machine);

impl Dhcpcd<'_> {
    /// Installs it.
    pub fn on(machine: &Machine) -> Dhcpcd<'_> {
        tools::need("dhcpcd");
        machine.run("mount", &["-t", "tmpfs", "tmpfs", "/var/lib/dhcpcd"]).good();
        be_root_alone(machine);
        let lines = "ipv4only\nnoipv4ll\nnodelay\noption routers, domain_name_servers\n";
        fs::write("/run/dhcpcd.conf", lines).unwrap();
        Dhcpcd(machine)
    }

    /// Starts it, in the foreground.
    pub fn starts(&self, more: &[&str]) -> Server {
        let script = script("/run/dhcpcd.sh", DHCPCD_SCRIPT);
        let words = ["dhcpcd", "-f", "/run/dhcpcd.conf", "--script", script, "-B", "-d"];
        let words = [&words[..], more, &["eth0"]].concat();
        Server::spawn(&mut self.0.namespace.command(&words))
    }

    /// Tells the running one to renew (`-N`), rebind (`-n`) or release (`-k`).
    #[track_caller]
    pub fn told(&self, option: &str) {
        self.0.run("dhcpcd", &["-f", "/run/dhcpcd.conf", option, "eth0"]).good();
    }
}

/// systemd-networkd on one machine, with a message bus of its own.
pub struct Networkd<'a> {
    machine: &'a Machine,
    bus: Server,
}

const NETWORKD: &str = "/lib/systemd/systemd-networkd";

const BUS: &str = "unix:path=/run/bus";

const BUS_CONF: &str = "<busconfig><type>system</type><listen>unix:path=/run/bus</listen>
<auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>
<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>\n";

impl Networkd<'_> {
    /// Installs it; `look_first`: it looks whether somebody uses the address already.
    pub fn on(machine: &Machine, look_first: bool) -> Networkd<'_> {
        for tool in ["dbus-daemon", "networkctl"] {
            tools::need(tool);
        }
        tools::need_loader(NETWORKD, "systemd");
        be_root_alone(machine);
        // A writable /sys means udev to it, which there is none of.
        machine.run("mount", &["-o", "remount,bind,ro", "/sys"]).good();
        for folder in ["/run/systemd/network", "/run/systemd/netif"] {
            fs::create_dir_all(folder).unwrap();
        }
        let decline = if look_first { "yes" } else { "no" };
        let network = format!(
            "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n\
             IPv6AcceptRA=no\n[DHCPv4]\nClientIdentifier=mac\nSendDecline={decline}\n"
        );
        fs::write("/run/systemd/network/eth0.network", network).unwrap();
        fs::write("/run/bus.conf", BUS_CONF).unwrap();
        let words = ["--config-file=/run/bus.conf", "--nofork", "--nopidfile"];
        let bus = Server::spawn(Command::new("dbus-daemon").args(words).arg("--print-address=2"));
        bus.log.wait_for(BUS);
        Networkd { machine, bus }
    }

    /// Starts it.
    pub fn starts(&self) -> Server {
        let mut command = self.machine.namespace.command(&[NETWORKD]);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", BUS);
        Server::spawn(command.env("SYSTEMD_LOG_LEVEL", "debug"))
    }

    /// `networkctl WORD eth0`
    #[track_caller]
    pub fn told(&self, word: &str) {
        let mut command = self.machine.namespace.command(&["networkctl", word, "eth0"]);
        tools::finish(command.env("DBUS_SYSTEM_BUS_ADDRESS", BUS)).good();
    }
}

/// Gives the machine a list of users of its own.
pub fn be_root_alone(machine: &Machine) {
    fs::write("/run/passwd", PASSWD).unwrap();
    machine.run("mount", &["--bind", "/run/passwd", "/etc/passwd"]).good();
}

fn script<'a>(path: &'a str, text: &str) -> &'a str {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}
