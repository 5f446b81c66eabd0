//! Systems other than the old box's, on the wire: each machine gets the files for its own
//! firmware, by every way that it may ask for them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use net::stick::NODE_1;
use net::{Appliance, Firmware, Lan, Machine, Stick, isolated};

const NETBOOT: &str = "images/debian/13/dists/trixie/main/installer-amd64/current/images/netboot/\
                       debian-installer/amd64";
const SCRIPT: &str = "/boot/52-54-00-00-00-01.ipxe";

/// A stick whose only machine is named for `image`.
fn stick(appliance: &Appliance, image: &str) -> Stick {
    let stick = Stick::empty(&appliance.media().join("stick"));
    let text = format!("[[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\nimage = \"{image}\"\n");
    stick.write("machines.toml", text);
    stick
}

fn script(machine: &Machine, firmware: Firmware) -> String {
    machine.boots(firmware);
    String::from_utf8(machine.get(SCRIPT)).unwrap()
}

#[test]
fn the_files_of_an_image_are_found_in_any_depth_by_tftp_and_by_http() {
    isolated(|lan: Lan| {
        let appliance = Appliance::server();
        let stick = stick(&appliance, "debian/13");
        stick.write(&format!("{NETBOOT}/linux"), "kernel");
        stick.write(&format!("{NETBOOT}/initrd.gz"), "initrd");
        stick.write("preseed/52-54-00-00-00-01.cfg", "d-i debian-installer/locale string C\n");
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        let text = script(&machine, Firmware::IpxeBios);
        let kernel =
            format!("kernel http://10.10.10.1:8080/boot/{NETBOOT}/linux initrd=initrd.gz ");
        assert!(text.contains(&kernel), "{text}");
        assert!(text.contains(" url=http://10.10.10.1:8080/preseed/52-54-00-00-00-01.cfg "));
        for tree in ["/boot/", "/"] {
            assert_eq!(machine.get(&format!("{tree}{NETBOOT}/linux")), b"kernel");
        }
        assert_eq!(machine.tftp_text(&format!("{NETBOOT}/initrd.gz")), "initrd");
        let pxelinux = machine.tftp_text("pxelinux.cfg/default");
        assert!(pxelinux.contains(&format!("KERNEL {NETBOOT}/linux\n")), "{pxelinux}");
        for path in ["/images/debian/13/dists/../../../../machines.toml", "/images/debian/13/dists"]
        {
            assert_eq!(machine.curl(path).0, 404, "{path}");
        }
        assert_eq!(appliance.machine(NODE_1), ("installing".into(), 1));
    });
}

#[test]
fn a_system_that_runs_in_memory_comes_at_each_boot_for_the_firmware_that_asks() {
    isolated(|lan: Lan| {
        let appliance = Appliance::server();
        let stick = stick(&appliance, "memtest86+/7.20");
        stick.write("images/memtest86+/7.20/memtest86+x64.bin", "bios");
        stick.write("images/memtest86+/7.20/memtest86+x64.efi", "uefi");
        let _server = appliance.serves();
        let machine = lan.machine(NODE_1);
        for firmware in [Firmware::IpxeBios, Firmware::IpxeEfiX64].repeat(3) {
            let text = script(&machine, firmware);
            let end = if firmware == Firmware::IpxeBios { "bin" } else { "efi" };
            let file = format!("images/memtest86+/7.20/memtest86+x64.{end} nopause ");
            assert!(text.contains(&file), "{firmware:?}: {text}");
            assert_eq!(appliance.machine(NODE_1), ("armed".into(), 0), "it was no attempt");
        }
    });
}

#[test]
fn a_machine_gets_its_own_boot_cfg_and_no_installer_without_a_kickstart() {
    isolated(|lan: Lan| {
        let appliance = Appliance::server();
        let stick = stick(&appliance, "esxi/8.0.3");
        for name in ["mboot.c32", "b.b00", "efi/boot/bootx64.efi"] {
            stick.write(&format!("images/esxi/8.0.3/{name}"), name);
        }
        let config = "prefix=\nkernel=/b.b00\nkernelopt=cdromBoot\nmodules=/a.gz --- /c.gz\n";
        stick.write("images/esxi/8.0.3/boot.cfg", config);
        let server = appliance.serves();
        let machine = lan.machine(NODE_1);
        let text = script(&machine, Firmware::IpxeEfiX64);
        assert!(text.contains("no kickstart for it; put kickstart/<mac>.ks"), "{text}");
        assert_eq!(appliance.machine(NODE_1), ("armed".into(), 0));
        stick.write("kickstart/52-54-00-00-00-01.ks", "vmaccepteula\n");
        server.hangup();
        server.log.wait_for_nth("1 stick read: 1 image, 1 machine", 2);
        let text = script(&machine, Firmware::IpxeEfiX64);
        let url = "/boot/52-54-00-00-00-01/boot.cfg";
        let kernel = format!("efi/boot/bootx64.efi -c http://10.10.10.1:8080{url} ");
        assert!(text.contains(&kernel), "{text}");
        let expected = "prefix=http://10.10.10.1:8080/images/esxi/8.0.3\nkernel=b.b00\n\
            kernelopt=runweasel ks=http://10.10.10.1:8080/kickstart/52-54-00-00-00-01.ks\n\
            modules=a.gz --- c.gz\n";
        assert_eq!(String::from_utf8(machine.get(url)).unwrap(), expected);
        assert_eq!(machine.get("/images/esxi/8.0.3/b.b00"), b"b.b00");
    });
}
