//! The boot tree over TFTP: loaders, configurations made for the machine that asks, files of
//! the stick. Real clients (curl, tftp-hpa), and crafted requests where they refuse to ask.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use net::lan::SERVER;
use net::stick::{INITRD, KERNEL, NODE_1, NODE_2, STRANGER};
use net::{Appliance, Firmware, Machine, isolated, tools};

/// `pxelinux.cfg/01-52-54-00-00-00-01`
fn config_of(mac: &str) -> String {
    format!("pxelinux.cfg/01-{}", mac.replace(':', "-"))
}

/// What curl gets by TFTP, and its exit code.
fn curl(machine: &Machine, name: &str) -> (Option<i32>, Vec<u8>) {
    let ran = machine.run("curl", &["-sS", "--path-as-is", &format!("tftp://10.10.10.1/{name}")]);
    (ran.code, ran.out)
}

/// Fetches a file with tftp-hpa, which asks for no options and 512 bytes at a time.
fn tftp_hpa(machine: &Machine, name: &str) -> Vec<u8> {
    let get = ["10.10.10.1", "-m", "binary", "-c", "get", name, "/run/fetched"];
    machine.run("tftp", &get).good();
    fs::read("/run/fetched").unwrap()
}

#[test]
fn the_loaders_are_delivered_byte_for_byte() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let modules = "/usr/lib/syslinux/modules/bios";
        for (name, folder, package) in [
            ("pxelinux.0", "/usr/lib/PXELINUX", "pxelinux"),
            ("ldlinux.c32", modules, "syslinux-common"),
            ("chain.c32", modules, "syslinux-common"),
            ("undionly.kpxe", "/usr/lib/ipxe", "ipxe"),
            ("snponly.efi", "/usr/lib/ipxe", "ipxe"),
        ] {
            let path = format!("{folder}/{name}");
            tools::need_loader(&path, package);
            let expected = fs::read(&path).unwrap();
            assert!(curl(&machine, name) == (Some(0), expected.clone()), "curl: {name}");
            assert!(tftp_hpa(&machine, name) == expected, "tftp-hpa: {name}");
        }
    });
}

#[test]
fn kernel_and_initrd_are_delivered_byte_for_byte() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        for name in [KERNEL, INITRD] {
            let expected = stick.image_file(name);
            assert!(curl(&machine, name) == (Some(0), expected.clone()), "curl: {name}");
            assert!(tftp_hpa(&machine, name) == expected, "tftp-hpa: {name}");
        }
        // More than 65,535 blocks of 8 bytes: the block number rolls over to 0.
        let url = format!("tftp://10.10.10.1/{INITRD}");
        let ran = machine.run("curl", &["-sS", "--tftp-blksize", "16", &url]).good();
        assert!(ran.out == stick.image_file(INITRD));
    });
}

#[test]
fn an_armed_machine_is_told_to_install_and_a_stranger_to_boot_its_disk() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let _server = appliance.serves();
        let [named, stranger] = [NODE_1, STRANGER].map(|mac| lan.machine(mac));
        named.boots(Firmware::Bios);
        stranger.boots(Firmware::Bios);
        for name in
            [config_of(NODE_1), config_of(NODE_1).to_uppercase(), "pxelinux.cfg/default".into()]
        {
            let text = named.tftp_text(&name);
            for line in [
                "KERNEL coreos_production_pxe.vmlinuz\n",
                "INITRD coreos_production_pxe_image.cpio.gz\n",
                "APPEND cloud-config-url=http://10.10.10.1:8080/cloud-configs/install.sh\n",
                "IPAPPEND 2\n",
            ] {
                assert!(text.contains(line), "{name}: {text}");
            }
        }
        for name in [config_of(STRANGER), "pxelinux.cfg/default".into()] {
            let text = stranger.tftp_text(&name);
            assert!(text.contains("COM32 chain.c32\nAPPEND hd0\n"), "{name}: {text}");
            assert!(!text.contains("KERNEL") && !text.contains("cloud-config-url"), "{text}");
        }
    });
}

#[test]
fn two_machines_may_be_told_different_things() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        stick.image("1235.9.0");
        let entry = |mac: &str, more: &str| format!("[[machine]]\nmac = \"{mac}\"\n{more}\n");
        let first = entry(NODE_1, "image = \"coreos/1185.3.0\"\nargs = \"console=ttyS0\"");
        stick.write("machines.toml", first + &entry(NODE_2, "install = \"never\""));
        let _server = appliance.serves();
        let [one, two] = [NODE_1, NODE_2].map(|mac| lan.machine(mac));
        one.boots(Firmware::Bios);
        two.boots(Firmware::Bios);
        let text = one.tftp_text(&config_of(NODE_1));
        assert!(text.contains("install.sh console=ttyS0\n"), "{text}");
        assert!(text.contains("coreos/1185.3.0"), "{text}");
        assert!(one.tftp(KERNEL).unwrap() == stick.image_file(KERNEL), "its own version");
        let text = two.tftp_text(&config_of(NODE_2));
        assert!(text.contains("install = \"never\"") && text.contains("APPEND hd0"), "{text}");
    });
}

#[test]
fn with_unknown_install_every_machine_is_installed() {
    isolated(|lan| {
        let appliance = Appliance::new("server", "boot.unknown = \"install\"");
        appliance.sample_stick();
        let _server = appliance.serves();
        let stranger = lan.machine(STRANGER);
        stranger.boots(Firmware::Bios);
        let text = stranger.tftp_text("pxelinux.cfg/default");
        assert!(text.contains("KERNEL coreos_production_pxe.vmlinuz\n"), "{text}");
    });
}

#[test]
fn a_real_file_of_the_sticks_tftp_folder_wins() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let own = [
            (config_of(STRANGER), "DEFAULT hand-made\n"),
            ("pxelinux.cfg/default".to_owned(), "DEFAULT everybody\n"),
            ("pxelinux.0".to_owned(), "another loader"),
            ("memtest/memtest86+.bin".to_owned(), "a tool"),
        ];
        for (name, content) in &own {
            stick.write(&format!("tftp/{name}"), content);
        }
        let _server = appliance.serves();
        let machine = lan.machine(STRANGER);
        machine.boots(Firmware::Bios);
        for (name, content) in &own {
            assert_eq!(machine.tftp_text(name), *content, "{name}");
        }
        assert_eq!(machine.tftp_text("MEMTEST\\Memtest86+.bin"), "a tool", "as Windows asks");
    });
}

#[test]
fn a_missing_file_is_refused_at_once_with_code_1_and_without_noise() {
    isolated(|lan| {
        let appliance = Appliance::server();
        appliance.sample_stick();
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let before = server.log.lines().len();
        let started = Instant::now();
        // What PXELINUX asks for before it gives up on a name.
        for name in ["pxelinux.cfg/deadbeef-0203-0405-0607-08090a0b0c0d", "pxelinux.cfg/0A0A0A64"] {
            assert_eq!(machine.tftp(name).unwrap_err().code, 1, "{name}");
        }
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(server.log.lines().len(), before, "a normal answer makes no line");
        // 68: curl's "file not found on TFTP server".
        assert_eq!(curl(&machine, "no-such-file").0, Some(68));
    });
}

#[test]
fn nothing_outside_the_tree_is_read_and_nothing_is_written() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let mut server = appliance.serves();
        fs::write(appliance.media().join("secret"), "outside").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", stick.folder().join("tftp-link")).unwrap();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        for name in [
            "../secret",
            "../../../../etc/passwd",
            "/etc/passwd",
            "tftp/../../secret",
            "..\\secret",
            "pxelinux.cfg/../../secret",
            "tftp-link",
            "cloud-configs/52-54-00-00-00-01.yml",
            "machines.toml",
            "",
        ] {
            assert!(matches!(machine.tftp(name).unwrap_err().code, 1 | 2), "{name:?}");
        }
        let refused = machine.tftp_write("pxelinux.0");
        assert!(matches!(refused.code, 2 | 4), "{refused:?}");
        assert!(!stick.folder().join("pxelinux.0").exists());
        server.log.wait_for("may not write");
        assert!(server.runs());
    });
}

#[test]
fn only_options_that_were_asked_for_are_granted_and_none_is_raised() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::EfiX64);
        tools::need_loader("/usr/lib/ipxe/snponly.efi", "ipxe");
        let size = fs::metadata("/usr/lib/ipxe/snponly.efi").unwrap().len();
        // EDK2's size probe, PXELINUX, U-Boot with jumbo frames, a ROM without options.
        for (options, granted) in [
            (
                "tsize\x000\0blksize\x001468\0windowsize\x004\0",
                format!("tsize\0{size}\0blksize\x001468\0windowsize\x004\0"),
            ),
            ("tsize\x000\0blksize\x001408\0", format!("tsize\0{size}\0blksize\x001408\0")),
            ("blksize\x0065464\0", "blksize\x001468\0".to_owned()),
            ("blksize\x00512\0rollover\x001\0", "blksize\x00512\0".to_owned()),
        ] {
            let request = format!("\0\x01snponly.efi\0octet\0{options}");
            let answer = machine.tftp_first_answer(request.as_bytes());
            assert_eq!(answer[..2], *b"\0\x06", "{options:?} gets an OACK");
            let mut got: Vec<&[u8]> = answer[2..].split(|byte| *byte == 0).collect();
            let mut expected: Vec<&[u8]> = granted.as_bytes().split(|byte| *byte == 0).collect();
            got.sort();
            expected.sort();
            assert_eq!(got, expected, "{options:?}: {:?}", String::from_utf8_lossy(&answer));
        }
        let plain = machine.tftp_first_answer(b"\0\x01snponly.efi\0octet\0");
        assert_eq!((&plain[..4], plain.len()), (&b"\0\x03\0\x01"[..], 516));
    });
}

#[test]
fn a_block_that_nobody_acknowledges_is_sent_again_twenty_times_a_second() {
    isolated(|lan| {
        let _server = Appliance::server().starts();
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let (gaps, spent) = machine.namespace.inside(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
            socket.send_to(b"\0\x01undionly.kpxe\0octet\0", (SERVER, 69)).unwrap();
            let heard = || {
                let mut packet = [0; 600];
                let length = socket.recv(&mut packet).unwrap();
                assert_eq!((&packet[..4], length), (&b"\0\x03\0\x01"[..], 516));
            };
            heard();
            let began = Instant::now();
            let gaps = 20;
            (0..gaps).for_each(|_| heard());
            (gaps, began.elapsed())
        });
        // Late by what a busy machine makes it late, and never early but for the first.
        assert!(spent > Duration::from_millis(50) * (gaps - 1), "{gaps} gaps took {spent:?}");
        assert!(spent < Duration::from_millis(100) * gaps, "{gaps} gaps took {spent:?}");
    });
}

#[test]
fn before_there_is_a_stick_a_machine_is_told_to_wait_and_the_file_to_come_later() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let server = appliance.starts();
        server.log.wait_for("giving addresses from");
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let text = machine.tftp_text(&config_of(NODE_1));
        assert!(text.contains("CONFIG pxelinux.cfg/default"), "asks again: {text}");
        // TFTP has no "later": every other code stops some ROMs.
        assert_eq!(machine.tftp(KERNEL).unwrap_err().code, 1);
        let stick = appliance.sample_stick();
        server.hangup();
        server.log.wait_for("1 stick read");
        assert!(machine.tftp_text("pxelinux.cfg/default").contains("KERNEL"));
        assert!(machine.tftp(KERNEL).unwrap() == stick.image_file(KERNEL));
    });
}
