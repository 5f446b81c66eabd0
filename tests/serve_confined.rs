//! What the servers have given up, and which ports the box has open.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use net::appliance::Server;
use net::lan::{Machine, SERVER};
use net::{Appliance, Firmware, isolated};
use pxeberry::confine::confine;

const NODE_1: &str = "52:54:00:00:00:01";

/// The user that the servers become.
const OWN_USER: &str = "61769";

/// What Landlock answers, and what the list of calls does.
const EACCES: i32 = 13;
const EPERM: i32 = 1;

/// net_bind_service, net_admin, net_raw.
const THREE_CAPABILITIES: &str = "0000000000003400";

/// Whether a process here can become another user at all; without root, `unshare` makes
/// namespaces that have one user.
fn other_users_exist() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    let count: u64 = map.split_whitespace().nth(2).unwrap().parse().unwrap();
    if count < 65_536 {
        println!("not measured: the own user, as this test does not run as root");
    }
    count >= 65_536
}

fn serves_as_own_user(appliance: &Appliance) -> Server {
    let mut command = appliance.command();
    if other_users_exist() {
        command.arg("--own-user");
    }
    let server = Server::spawn(&mut command);
    server.log.wait_for(" read: ");
    server.log.wait_for("giving addresses from");
    server
}

#[test]
fn every_thread_of_the_servers_is_confined_and_a_machine_is_served_whole() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = serves_as_own_user(&appliance);
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        assert!(machine.tftp_text("pxelinux.cfg/01-52-54-00-00-00-01").contains("KERNEL"));
        assert!(machine.tftp("undionly.kpxe").is_ok());
        let script = machine.get("/cloud-configs/install.sh");
        assert!(String::from_utf8(script).unwrap().contains("token="));
        machine.get("/cloud-configs/52:54:00:00:00:01.yml");
        // The sticks are read again, and its command line is obeyed.
        server.hangup();
        server.log.wait_for(" read: ");
        appliance.tell(&["arm", NODE_1]).good();

        let folder = format!("/proc/{}/task", server.id());
        let mut threads = 0;
        for thread in fs::read_dir(folder).unwrap() {
            let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
            let value = |key: &str| {
                let line = status.lines().find(|line| line.starts_with(key)).unwrap();
                line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
            };
            if other_users_exist() {
                assert_eq!(value("Uid:"), [OWN_USER; 4], "{status}");
                assert_eq!(value("Groups:"), [""; 0], "{status}");
                for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
                    assert_eq!(value(set), [THREE_CAPABILITIES], "{status}");
                }
            }
            assert_eq!(value("NoNewPrivs:"), ["1"], "{status}");
            assert_eq!(value("Seccomp:"), ["2"], "{status}");
            threads += 1;
        }
        assert!(threads >= 7, "{threads} threads");
        // TFTP has waited by now. A timer among these would cost it four calls for each block.
        let kinds = kinds_of_descriptors(server.id());
        assert!(kinds.contains("anon_inode:[eventpoll]"), "{kinds:?}");
        assert!(!kinds.contains("anon_inode:[timerfd]"), "{kinds:?}");
        let page = String::from_utf8(machine.get("/")).unwrap();
        for part in ["no new privileges", "Landlock", "seccomp", "at most 256 MiB"] {
            assert!(page.contains(part), "{part} is not on the page");
        }
    });
}

fn kinds_of_descriptors(process: u32) -> BTreeSet<String> {
    let all = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    // Some are closed while they are read.
    let kinds = all.filter_map(|one| fs::read_link(one.unwrap().path()).ok());
    kinds.map(|kind| kind.to_string_lossy().into_owned()).collect()
}

/// A limit is a thread's: the test confines some of its own and tries what an intruder would.
#[test]
fn who_is_confined_reads_its_folders_and_writes_and_connects_nowhere() {
    isolated(|_lan| {
        let ours = Path::new("/run/ours");
        fs::create_dir_all(ours).unwrap();
        fs::write(ours.join("image"), "image").unwrap();
        // Anybody could, by the rights of the files.
        for (path, mode) in [("/run/ours", 0o777), ("/run/ours/image", 0o666), ("/run", 0o777)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::write("/run/secret", "secret").unwrap();
        std::os::unix::fs::symlink("/run/secret", ours.join("link")).unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap();
        let own_user = other_users_exist();
        let confined = move || {
            confine(&[ours.into()], own_user);
            assert_eq!(fs::read(ours.join("image")).unwrap(), b"image");
            let denied = |result: std::io::Result<()>, what: &str| {
                assert_eq!(result.expect_err(what).raw_os_error(), Some(EACCES), "{what}");
            };
            denied(fs::read("/run/secret").map(drop), "another file is read");
            denied(fs::read(ours.join("link")).map(drop), "a link out of the folder is followed");
            denied(fs::read_dir("/").map(drop), "another folder is listed");
            denied(fs::write(ours.join("image"), ""), "a stick is written");
            denied(fs::write(ours.join("new"), ""), "something is put on a stick");
            denied(fs::write("/run/new", ""), "another folder is written");
            denied(TcpStream::connect(port).map(drop), "a connection is made");
        };
        thread::spawn(confined).join().unwrap();
    });
}

/// With all of root's capabilities: what is refused, the list of calls refuses.
#[test]
fn who_is_confined_starts_no_program_and_becomes_nobody_else() {
    isolated(|_lan| {
        let confined = || {
            confine(&["/".into()], false);
            let refused = |result: std::io::Result<()>, what: &str| {
                assert_eq!(result.expect_err(what).raw_os_error(), Some(EPERM), "{what}");
            };
            refused(Command::new("/bin/true").status().map(drop), "a program is started");
            refused(rustix::process::chroot("/run").map_err(Into::into), "the root is changed");
            let module = rustix::system::init_module(b"x", c"");
            refused(module.map_err(Into::into), "a module is loaded");
            let name = rustix::system::sethostname(b"x");
            refused(name.map_err(Into::into), "the host's name is changed");
        };
        thread::spawn(confined).join().unwrap();
    });
}

#[test]
fn only_the_ports_of_its_servers_are_open() {
    isolated(|lan| {
        // Else the kernel tells of a thousand closed ports a second, and no more.
        for limit in ["icmp_ratelimit", "icmp_msgs_per_sec", "icmp_msgs_burst"] {
            let value = if limit == "icmp_ratelimit" { "0" } else { "1000000" };
            let _ = fs::write(format!("/proc/sys/net/ipv4/{limit}"), value);
        }
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = appliance.serves();
        server.log.wait_for("mdns: this box is called pxeberry.local");
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        assert_eq!(open_tcp_ports(&machine), BTreeSet::from([80, 8080]));
        assert_eq!(open_udp_ports(&machine), BTreeSet::from([67, 69, 514, 4011]));
        // Multicast DNS hears its group and nobody else (224.0.0.251, port 5353), and only
        // where it is wanted.
        assert_eq!(bound_to_a_group(), ["FB0000E0:14E9"]);
        drop(server);
        let appliance = Appliance::new("server", "page.mdns = false\nserver.syslog = false");
        let _server = appliance.serves();
        assert_eq!(bound_to_a_group(), [""; 0]);
        assert_eq!(open_udp_ports(&machine), BTreeSet::from([67, 69, 4011]));
    });
}

/// A scan does not see them: packets to an address of ours never reach such a socket. By
/// /proc/net/udp, where 224 to 239 are the last byte.
fn bound_to_a_group() -> Vec<String> {
    let sockets = fs::read_to_string("/proc/net/udp").unwrap();
    let places = sockets.lines().filter_map(|line| line.split_whitespace().nth(1));
    places.filter(|place| place.get(6..7) == Some("E")).map(str::to_owned).collect()
}

fn open_tcp_ports(machine: &Machine) -> BTreeSet<u16> {
    machine.namespace.inside(|| {
        let is_open = |port: &u16| {
            let to = SocketAddrV4::new(SERVER, *port).into();
            match TcpStream::connect_timeout(&to, Duration::from_secs(2)) {
                Ok(_) => true,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => false,
                Err(error) => panic!("TCP port {port}: {error}"),
            }
        };
        (1..=u16::MAX).filter(is_open).collect()
    })
}

/// A closed port says so, by ICMP. Those that say nothing are asked again: the word may have
/// been lost where the kernel limits it.
fn open_udp_ports(machine: &Machine) -> BTreeSet<u16> {
    const ROUNDS: usize = 5;
    const AT_ONCE: usize = 512;
    machine.namespace.inside(|| {
        let mut silent: Vec<u16> = (1..=u16::MAX).collect();
        for _ in 0..ROUNDS {
            let asked = silent.chunks(AT_ONCE).flat_map(still_silent);
            silent = asked.collect();
        }
        silent.into_iter().collect()
    })
}

fn still_silent(ports: &[u16]) -> Vec<u16> {
    let ask = |port: &u16| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        socket.connect(SocketAddr::from((SERVER, *port))).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let _ = socket.send(b"?");
        (*port, socket)
    };
    let asked: Vec<(u16, UdpSocket)> = ports.iter().map(ask).collect();
    let refused = |socket: &UdpSocket| {
        let heard = socket.recv(&mut [0; 600]);
        heard.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    };
    asked.into_iter().filter(|(_, socket)| !refused(socket)).map(|(port, _)| port).collect()
}
