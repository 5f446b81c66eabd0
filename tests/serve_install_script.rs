//! The generated install.sh, run by real shells on the machine that it was made for. Only
//! the installer and `reboot` are stand-ins that say how they were called.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/installing.rs"]
mod installing;
#[path = "support/net/mod.rs"]
mod net;

use std::fs;
use std::os::unix::fs::symlink;

use installing::{PATH, Scene, calls};
use net::stick::{IMAGE, INITRD, KERNEL, NODE_1, Stick};
use net::tools;
use net::{Lan, isolated};

/// One way through: which shell runs it, and which client fetches.
fn whole_way(lan: &Lan, shell: &str, client: &str) {
    let disk = |stick: &Stick| {
        let entry =
            format!("[[machine]]\nname = \"node-1\"\nmac = \"{NODE_1}\"\ndisk = \"/dev/vda\"\n");
        stick.write("machines.toml", entry);
    };
    let scene = Scene::new(lan, disk, &["ip", client]);
    let ran = scene.installs(shell).good();
    let config = format!("/tmp/pxeberry-{NODE_1}.yml");
    let expected =
        format!("coreos-install -d /dev/vda -c {config} -b http://10.10.10.1:8080\nreboot\n");
    assert_eq!(calls(), expected);
    assert_eq!(fs::read("/run/config").unwrap(), b"#cloud-config\nhostname: node-1\n");
    assert_eq!(ran.err, "", "a shell complained");
    assert!(ran.text().contains("installing on /dev/vda; everything on it"), "{}", ran.text());
    assert_eq!(scene.state(), "installed");
}

#[test]
fn dash_with_wget_installs_reports_and_reboots() {
    isolated(|lan| whole_way(&lan, "dash", "wget"));
}

#[test]
fn bash_with_curl_installs_reports_and_reboots() {
    isolated(|lan| whole_way(&lan, "bash", "curl"));
}

#[test]
fn an_arm_machine_is_given_the_disk_image_for_arm() {
    isolated(|lan| {
        let folder = "images/coreos/1185.3.0/arm64";
        let arm = |stick: &Stick| {
            for name in [KERNEL, INITRD, IMAGE] {
                stick.write(&format!("{folder}/{name}"), format!("{name} for arm"));
            }
        };
        let scene = Scene::new(&lan, arm, &["ip", "wget"]);
        // The path of a symbolic link would be written to.
        fs::remove_file(format!("{PATH}/uname")).unwrap();
        scene.program("uname", "#!/bin/sh\necho aarch64\n");
        scene.installs("dash").good();
        assert!(calls().contains(" -b http://10.10.10.1:8080/arm64\n"), "{}", calls());
        let get = |folder: &str| scene.machine.get(&format!("{folder}/1185.3.0/{IMAGE}"));
        assert_eq!(get("/arm64"), format!("{IMAGE} for arm").into_bytes());
        assert!(get("") == scene.stick.image_file(IMAGE));
        assert!(get("/x86_64") == scene.stick.image_file(IMAGE));
    });
}

#[test]
fn flatcar_is_given_its_ignition_as_such() {
    const IGNITION: &str = "{\"ignition\": {\"version\": \"3.3.0\"}}";
    isolated(|lan| {
        let flatcar = |stick: &Stick| {
            for name in ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"] {
                stick.write(&format!("images/flatcar/4081.2.1/flatcar_production_{name}"), name);
            }
            let entry = format!("[[machine]]\nmac = \"{NODE_1}\"\nimage = \"flatcar\"\n");
            stick.write("machines.toml", entry);
            stick.remove("cloud-configs/52-54-00-00-00-01.yml");
            stick.write("ignition/default.ign", IGNITION);
        };
        let scene = Scene::new(&lan, flatcar, &["ip", "wget"]);
        scene.program(
            "flatcar-install",
            "#!/bin/sh\necho \"$*\" >>/run/calls\ncat \"$4\" >>/run/calls\n",
        );
        scene.installs("dash").good();
        let config = format!("/tmp/pxeberry-{NODE_1}.ign");
        let call = format!("-d /dev/sda -i {config} -b http://10.10.10.1:8080\n{IGNITION}reboot\n");
        assert_eq!(calls(), call);
        assert_eq!(scene.state(), "installed");
    });
}

#[test]
fn busybox_alone_is_enough() {
    isolated(|lan| {
        tools::need("busybox");
        let scene = Scene::new(&lan, |_| {}, &[]);
        for applet in ["wget", "ip", "cat", "tr", "sed", "sync", "uname"] {
            let _ = fs::remove_file(format!("{PATH}/{applet}"));
            symlink("/bin/busybox", format!("{PATH}/{applet}")).unwrap();
        }
        symlink("/bin/busybox", "/run/sh").unwrap();
        let script = scene.machine.get("/cloud-configs/install.sh");
        fs::write("/run/install.sh", script).unwrap();
        let path = format!("PATH={PATH}");
        let ran = scene.machine.run("env", &["-i", &path, "/run/sh", "/run/install.sh"]).good();
        assert!(
            calls().ends_with("-b http://10.10.10.1:8080\nreboot\n"),
            "{}\n{}",
            calls(),
            ran.err
        );
        assert_eq!(scene.state(), "installed");
    });
}

#[test]
fn the_card_that_the_loader_named_decides_which_config_is_fetched() {
    /// With letters, which PXELINUX and iPXE do not write alike.
    const SECOND_CARD: &str = "52:54:00:00:ab:cd";
    isolated(|lan| {
        let both = |stick: &Stick| {
            let entry = format!(
                "[[machine]]\nname = \"node-1\"\nmacs = [\"{NODE_1}\", \"{SECOND_CARD}\"]\n"
            );
            stick.write("machines.toml", entry);
            let path = format!("cloud-configs/{}.yml", SECOND_CARD.replace(':', "-"));
            stick.write(&path, "#cloud-config\nhostname: second\n");
        };
        let scene = Scene::new(&lan, both, &["ip", "wget"]);
        let name = SECOND_CARD.replace(':', "-").to_uppercase();
        scene.command_line(&format!("quiet BOOTIF=01-{name} console=tty0"));
        scene.installs("dash").good();
        assert_eq!(fs::read("/run/config").unwrap(), b"#cloud-config\nhostname: second\n");
        assert!(calls().contains(&format!("-c /tmp/pxeberry-{SECOND_CARD}.yml ")), "{}", calls());
        assert_eq!(scene.state(), "installed");
    });
}

#[test]
fn without_a_config_nothing_is_installed_and_the_reason_is_said() {
    isolated(|lan| {
        let none = |stick: &Stick| stick.remove("cloud-configs/52-54-00-00-00-01.yml");
        let scene = Scene::new(&lan, none, &["ip", "wget"]);
        for shell in ["dash", "bash"] {
            let ran = scene.installs(shell);
            assert_eq!(ran.code, Some(1), "{shell}: {}", ran.err);
            let reason = format!("the stick has no usable cloud-configs/{NODE_1}.yml");
            assert!(ran.text().contains(&reason), "{shell}: {}", ran.text());
            assert_eq!(calls(), "", "{shell}");
        }
        scene.server.log.wait_for("reports that installing failed");
        assert_eq!(scene.state(), "installing");
    });
}

#[test]
fn an_empty_config_installs_nothing() {
    isolated(|lan| {
        let empty = |stick: &Stick| stick.write("cloud-configs/52-54-00-00-00-01.yml", "");
        let scene = Scene::new(&lan, empty, &["ip", "curl"]);
        assert_eq!(scene.installs("dash").code, Some(1));
        assert_eq!(calls(), "");
    });
}

#[test]
fn a_download_that_ends_early_without_an_error_installs_nothing() {
    isolated(|lan| {
        let scene = Scene::new(&lan, |_| {}, &["ip"]);
        // The real installer takes an empty config, and nobody can log in afterwards.
        scene.program("wget", "#!/bin/sh\n[ \"$2\" = -O ] && : >\"$3\"\n");
        let ran = scene.installs("dash");
        assert_eq!(ran.code, Some(1), "{}", ran.text());
        assert!(ran.text().contains("is empty, so nothing is installed"), "{}", ran.text());
        assert_eq!(calls(), "");
    });
}

#[test]
fn when_the_installer_fails_the_machine_says_so_and_stays_on() {
    isolated(|lan| {
        let scene = Scene::new(&lan, |_| {}, &["ip", "wget"]);
        scene.program("coreos-install", "#!/bin/sh\necho tried >>/run/calls\nexit 1\n");
        let ran = scene.installs("bash");
        assert_eq!(ran.code, Some(1));
        assert!(ran.text().contains("coreos-install failed"), "{}", ran.text());
        assert_eq!(calls(), "tried\n", "a reboot would hide the message");
        scene.server.log.wait_for("reports that installing failed");
    });
}

#[test]
fn a_report_that_is_not_heard_is_repeated_before_the_reboot() {
    isolated(|lan| {
        let scene = Scene::new(&lan, |_| {}, &["ip"]);
        scene.program("sleep", "#!/bin/sh\necho sleep \"$1\" >>/run/calls\n");
        let lost = "#!/bin/sh
case $* in *event=*)
    echo report >>/run/calls
    if [ ! -e /run/second ]; then
        [ -e /run/first ] && : >/run/second
        : >/run/first
        exit 4
    fi
esac
exec /usr/bin/wget \"$@\"\n";
        scene.program("wget", lost);
        scene.installs("dash").good();
        let expected = "report\nsleep 1\nreport\nsleep 2\nreport\nreboot\n";
        assert!(calls().ends_with(expected), "{}", calls());
        assert_eq!(scene.state(), "installed");
    });
}

#[test]
fn a_machine_that_is_not_armed_gets_a_script_that_only_says_so() {
    isolated(|lan| {
        let never = |stick: &Stick| {
            let entry = format!("[[machine]]\nmac = \"{NODE_1}\"\ninstall = \"never\"\n");
            stick.write("machines.toml", entry);
        };
        let scene = Scene::new(&lan, never, &["ip", "wget"]);
        let ran = scene.installs("dash");
        assert_eq!(ran.code, Some(1));
        assert!(ran.err.contains("nothing is installed on this machine"), "{}", ran.err);
        assert_eq!(calls(), "");
        assert!(scene.stick.folder().exists());
    });
}
