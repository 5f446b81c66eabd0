use super::*;
use crate::inventory::{Listing, MediaFile, Profile, inventory};
use std::net::Ipv4Addr;
use std::path::Path;

pub const ENDPOINT: Endpoint =
    Endpoint { address: Ipv4Addr::new(10, 10, 10, 1), port: 8080, syslog: true };

pub fn mac(last: u8) -> Mac {
    Mac::new([0x52, 0x54, 0, 0, 0, last]).unwrap()
}

fn stick() -> Inventory {
    let machines = "
        [[machine]]
        mac = \"52:54:00:00:00:01\"
        args = \"console=ttyS0\"
        [[machine]]
        mac = \"52:54:00:00:00:02\"
        install = \"never\"
        [[machine]]
        mac = \"52:54:00:00:00:03\"
        image = \"coreos/1\"
    ";
    stick_of(machines, &["images/coreos/1185.3.0/coreos_production_pxe.vmlinuz"])
}

pub fn stick_of(machines: &str, files: &[&str]) -> Inventory {
    let file = |path: &&str| MediaFile {
        volume: Path::new("/media/sda1").into(),
        path: (*path).to_owned(),
        size: 1,
        modified: 0,
        inside: None,
    };
    let files: Vec<MediaFile> = ["machines.toml"].iter().chain(files).map(file).collect();
    let is_config = |(_, file): &(usize, &MediaFile)| file.path.starts_with("preseed/");
    let configs = files.iter().enumerate().filter(is_config);
    let configs = configs.map(|(index, _)| (index, "# d-i\n".to_owned()));
    let texts = configs.chain([(0, machines.to_owned())]).collect();
    inventory(&[Listing { files, texts, ..Listing::default() }], &Profile::built_in()).unwrap()
}

fn decide(last: u8, phase: Option<Phase>, media: Media, unknown: Unknown) -> Plan {
    let mut config = crate::config::parse("").unwrap();
    config.boot.unknown = unknown;
    let inventory = stick();
    let situation = Situation {
        inventory: &inventory,
        verdicts: &Verdicts::default(),
        media,
        boot: &config.boot,
        endpoint: ENDPOINT,
    };
    let asker = Asker { mac: mac(last), platform: Platform::Bios, loader: None };
    plan(asker, phase, &situation)
}

#[test]
fn an_armed_machine_gets_its_installer_with_its_arguments() {
    let Plan::Install(install) = decide(1, Some(Phase::Armed), Media::Ready, Unknown::Local) else {
        panic!("not installed");
    };
    assert_eq!(install.image, "coreos/1185.3.0");
    assert_eq!(
        install.args,
        "cloud-config-url=http://10.10.10.1:8080/cloud-configs/install.sh console=ttyS0"
    );
}

#[test]
fn nobody_else_ever_gets_an_installer() {
    for (who, last, phase) in [
        ("a stranger", 9, None),
        ("a stranger who was armed once", 9, Some(Phase::Armed)),
        ("install = never", 2, Some(Phase::Armed)),
        ("no such image", 3, Some(Phase::Armed)),
        ("installed", 1, Some(Phase::Installed)),
        ("on trial", 1, Some(Phase::Trial)),
        ("failed", 1, Some(Phase::Failed)),
        ("disarmed", 1, Some(Phase::Disarmed)),
        ("known but not armed", 1, None),
    ] {
        let plan = decide(last, phase, Media::Ready, Unknown::Local);
        assert!(matches!(plan, Plan::LocalBoot(_)), "{who}: {plan:?}");
    }
}

#[test]
fn without_a_stick_machines_boot_their_disks_and_at_power_on_they_wait() {
    let armed = Some(Phase::Armed);
    assert_eq!(decide(1, armed, Media::Starting, Unknown::Install), Plan::Wait);
    let plan = decide(1, armed, Media::None, Unknown::Install);
    assert_eq!(plan, Plan::LocalBoot("there is no stick"));
}

#[test]
fn unknown_install_makes_every_machine_a_named_one() {
    let plan = decide(9, Some(Phase::Armed), Media::Ready, Unknown::Install);
    assert!(matches!(plan, Plan::Install(_)));
    assert_eq!(decide(9, None, Media::Ready, Unknown::Menu), Plan::Menu);
}

#[test]
fn defaults_hold_for_strangers_where_those_are_installed() {
    let kernel = "images/coreos/1185.3.0/coreos_production_pxe.vmlinuz";
    let mut config = crate::config::parse("").unwrap();
    config.boot.unknown = Unknown::Install;
    for (defaults, installs) in [("", true), ("[defaults]\ninstall = \"never\"\n", false)] {
        let inventory = stick_of(defaults, &[kernel]);
        let situation = Situation {
            inventory: &inventory,
            verdicts: &Verdicts::default(),
            media: Media::Ready,
            boot: &config.boot,
            endpoint: ENDPOINT,
        };
        let asker = Asker { mac: mac(9), platform: Platform::Bios, loader: None };
        let plan = plan(asker, Some(Phase::Armed), &situation);
        assert_eq!(matches!(plan, Plan::Install(_)), installs, "{defaults}: {plan:?}");
    }
}

#[test]
fn our_own_ipxe_is_never_given_ipxe_again() {
    let boot = crate::config::parse("").unwrap().boot;
    for platform in [Platform::Bios, Platform::Efi64, Platform::EfiArm64] {
        let reply =
            boot_reply(mac(1), Program::Ipxe(platform), None, &boot, ENDPOINT, Driver::Firmware);
        let script = "http://10.10.10.1:8080/boot/52-54-00-00-00-01.ipxe".to_owned();
        assert_eq!(reply, BootReply::Ipxe(script));
    }
}

#[test]
fn each_firmware_gets_a_loader_that_it_can_run() {
    let boot = crate::config::parse("").unwrap().boot;
    for (platform, file) in [
        (Platform::Bios, "undionly.kpxe"),
        (Platform::Efi64, "snponly.efi"),
        (Platform::EfiArm64, "ipxe-arm64.efi"),
    ] {
        let reply =
            boot_reply(mac(1), Program::Rom(platform), None, &boot, ENDPOINT, Driver::Firmware);
        assert_eq!(reply, BootReply::Pxe(file.to_owned()));
    }
    let none =
        boot_reply(mac(1), Program::Rom(Platform::Other), None, &boot, ENDPOINT, Driver::Firmware);
    assert_eq!(none, BootReply::Nothing);
}

#[test]
fn uefi_machines_get_the_loader_that_they_are_said_to_need() {
    let mut boot = crate::config::parse("").unwrap().boot;
    let mut machine = Machine::known_by(mac(1));
    let file = |program, machine: &Machine, boot: &Boot| {
        boot_reply(mac(1), program, Some(machine), boot, ENDPOINT, Driver::Firmware)
    };
    let pxe = |file: &str| BootReply::Pxe(file.to_owned());
    let (x64, arm64) = (Program::Rom(Platform::Efi64), Program::Rom(Platform::EfiArm64));
    for (config, stick, x64_file, arm64_file) in [
        (UefiLoader::Ipxe, None, "snponly.efi", "ipxe-arm64.efi"),
        (UefiLoader::Ipxe, Some(UefiLoader::Shim), "shimx64.efi", "shimaa64.efi"),
        (UefiLoader::Shim, None, "shimx64.efi", "shimaa64.efi"),
        (UefiLoader::Shim, Some(UefiLoader::Ipxe), "snponly.efi", "ipxe-arm64.efi"),
        (UefiLoader::Syslinux, None, "efi64/syslinux.efi", "ipxe-arm64.efi"),
    ] {
        boot.uefi_loader = config;
        machine.loader = stick;
        assert_eq!(file(x64, &machine, &boot), pxe(x64_file), "{config:?} {stick:?}");
        assert_eq!(file(arm64, &machine, &boot), pxe(arm64_file), "{config:?} {stick:?}");
    }
    machine.loader = Some(UefiLoader::Shim);
    let http = BootReply::Http("http://10.10.10.1:8080/boot/shimx64.efi".to_owned());
    assert_eq!(file(Program::HttpRom(Platform::Efi64), &machine, &boot), http);
    machine.loader = Some(UefiLoader::Syslinux);
    let http = BootReply::Http("http://10.10.10.1:8080/boot/snponly.efi".to_owned());
    assert_eq!(file(Program::HttpRom(Platform::Efi64), &machine, &boot), http);
    machine.loader = Some(UefiLoader::Shim);
    let lesser = file(Program::LesserIpxe(Platform::Efi64), &machine, &boot);
    assert_eq!(lesser, pxe("shimx64.efi"));
    assert_eq!(file(Program::Rom(Platform::Bios), &machine, &boot), pxe("undionly.kpxe"));
}
