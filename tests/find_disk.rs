//! The disk that fits a rule, found by the generated shell function on machines that are
//! made up: their /sys, and what lsblk says of them, as real ones have it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use pxeberry::inventory::machine::{Disk, parse};

/// A made-up machine.
struct Machine {
    folder: PathBuf,
}

/// What the kernel says of a disk: its way through the buses, its size in sectors of 512
/// bytes, and files below `block/<name>`.
type Attributes<'a> = (&'a str, u64, &'a [(&'a str, &'a [u8])]);

const NVME: Attributes = (
    "pci0000:00/0000:00:1d.0/0000:3c:00.0/nvme/nvme0/nvme0n1",
    1_000_215_216,
    &[
        ("device/serial", b"S4EWNX0R123456      \n"),
        ("device/model", b"Samsung SSD 970 EVO Plus 500GB          \n"),
        ("wwid", b"eui.0025385891502595\n"),
    ],
);

const SATA: Attributes = (
    "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda",
    3_907_029_168,
    &[
        ("device/model", b"ST2000DM008-2FR1\n"),
        ("device/wwid", b"naa.5000c500b3a1d2e4\n"),
        ("device/vpd_pg80", b"\0\x80\0\x14            ZFL0ABCD"),
    ],
);

const USB: Attributes = (
    "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host4/target4:0:0/4:0:0:0/block/sdb",
    60_063_744,
    &[("device/model", b"Ultra\n"), ("removable", b"1\n")],
);

const VIRTIO: Attributes =
    ("pci0000:00/0000:00:05.0/virtio2/block/vda", 41_943_040, &[("serial", b"it's a disk")]);

const EMPTY_READER: Attributes =
    ("pci0000:00/0000:00:14.0/usb1/1-3/host5/target5:0:0/5:0:0:0/block/sdc", 0, &[]);

impl Machine {
    fn new(name: &str, disks: &[(&str, Attributes)]) -> Machine {
        let folder =
            std::env::temp_dir().join(format!("pxeberry-disks-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let machine = Machine { folder };
        fs::create_dir_all(machine.sys().join("block")).unwrap();
        fs::create_dir_all(machine.path()).unwrap();
        for (name, (way, sectors, files)) in disks {
            let own = machine.sys().join("devices").join(way);
            fs::create_dir_all(own.join("device")).unwrap();
            symlink(&own, machine.sys().join("block").join(name)).unwrap();
            fs::write(own.join("size"), format!("{sectors}\n")).unwrap();
            fs::write(own.join("ro"), "0\n").unwrap();
            for (file, content) in *files {
                fs::write(own.join(file), content).unwrap();
            }
        }
        // Without a device behind it.
        fs::create_dir_all(machine.sys().join("block/loop0")).unwrap();
        fs::write(machine.sys().join("block/loop0/size"), "4096\n").unwrap();
        machine
    }

    fn sys(&self) -> PathBuf {
        self.folder.join("sys")
    }

    fn path(&self) -> PathBuf {
        self.folder.join("path")
    }

    /// An lsblk that has asked udev: `lsblk -dno COLUMN /dev/NAME`.
    fn has_lsblk(&self, rows: &[(&str, &str, &str)]) {
        let mut script = "#!/bin/sh\ncase \"$2 $3\" in\n".to_owned();
        for (column, name, value) in rows {
            script.push_str(&format!("'{column} /dev/{name}') echo '{value}' ;;\n"));
        }
        script.push_str("*) echo ;;\nesac\n");
        let program = self.path().join("lsblk");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What each shell finds by this rule; all must find the same.
    fn finds(&self, rule: &str) -> Result<String, String> {
        let results: Vec<_> = shells().iter().map(|shell| self.finds_with(shell, rule)).collect();
        for result in &results {
            assert_eq!(Some(result), results.first(), "{rule}");
        }
        results.into_iter().next().unwrap()
    }

    fn finds_with(&self, shell: &[&str], rule: &str) -> Result<String, String> {
        let (program, arguments) = shell.split_first().unwrap();
        for tool in ["cat", "head", "tail", "sed", "tr"] {
            let link = self.path().join(tool);
            let _ = fs::remove_file(&link);
            let real = match program.ends_with("busybox") {
                true => PathBuf::from(program),
                false => found(tool),
            };
            symlink(real, link).unwrap();
        }
        let text = format!("{}\ndisk=$(find_disk) && echo \"$disk\"\n", disk(rule).shell());
        let out = Command::new(program)
            .args(arguments)
            .args(["-c", &text])
            .env_clear()
            .env("PATH", self.path())
            .env("disk_sys", self.sys())
            .output()
            .unwrap();
        let (said, complaints) =
            (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
        if out.status.success() {
            assert_eq!(complaints, "", "{program}");
            return Ok(said.trim().to_owned());
        }
        Err(complaints)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn found(tool: &str) -> PathBuf {
    let folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    let found = folders.map(|folder| Path::new(folder).join(tool));
    found.into_iter().find(|path| path.exists()).expect(tool)
}

fn shells() -> Vec<Vec<&'static str>> {
    for shell in ["/bin/dash", "/bin/bash", "/bin/busybox"] {
        assert!(Path::new(shell).exists(), "{shell} is needed; tests/run installs it");
    }
    vec![vec!["/bin/dash"], vec!["/bin/bash"], vec!["/bin/busybox", "sh"]]
}

/// As it stands in machines.toml.
fn disk(rule: &str) -> Disk {
    let text = format!("[[machine]]\nmac = \"52:54:00:00:00:01\"\ndisk = {rule}\n");
    let roster = parse("machines.toml", &text).unwrap();
    roster.list().first().unwrap().disk.clone()
}

fn server(name: &str) -> Machine {
    let disks = [("nvme0n1", NVME), ("sda", SATA), ("sdb", USB), ("sdc", EMPTY_READER)];
    Machine::new(name, &disks)
}

#[test]
fn each_part_of_a_rule_finds_its_disk_without_lsblk() {
    let server = server("sysfs");
    for (rule, expected) in [
        ("{ bus = \"nvme\" }", "/dev/nvme0n1"),
        ("{ bus = \"sata\" }", "/dev/sda"),
        ("{ bus = \"usb\" }", "/dev/sdb"),
        ("{ serial = \"ZFL0ABCD\" }", "/dev/sda"),
        ("{ serial = \"S4EW*\" }", "/dev/nvme0n1"),
        ("{ wwn = \"0x5000C500B3A1D2E4\" }", "/dev/sda"),
        ("{ wwn = \"eui.00253858*\" }", "/dev/nvme0n1"),
        ("{ model = \"Samsung SSD 970*\" }", "/dev/nvme0n1"),
        ("{ model = \"ST2000DM???-*\" }", "/dev/sda"),
        ("{ size = \"400G..600G\" }", "/dev/nvme0n1"),
        ("{ size = \"1T..\" }", "/dev/sda"),
        ("{ size = \"..100G\" }", "/dev/sdb"),
        ("{ size = \"100G..3T\", bus = \"sata\", serial = \"Z*\" }", "/dev/sda"),
        ("\"/dev/vda\"", "/dev/vda"),
    ] {
        assert_eq!(server.finds(rule).as_deref(), Ok(expected), "{rule}");
    }
}

#[test]
fn what_lsblk_knows_goes_before_what_the_kernel_says() {
    let server = server("lsblk");
    server.has_lsblk(&[
        ("SERIAL", "sda", "ZFL0ABCD"),
        ("SERIAL", "sdb", "4C530001"),
        ("MODEL", "sda", "ST2000DM008-2FR102"),
        ("WWN", "sda", "0x5000c500b3a1d2e4"),
        ("WWN", "nvme0n1", "eui.0025385891502595"),
    ]);
    for (rule, expected) in [
        ("{ serial = \"4C530001\" }", "/dev/sdb"),
        ("{ model = \"ST2000DM008-2FR102\" }", "/dev/sda"),
        ("{ wwn = \"5000c500b3a1d2e4\" }", "/dev/sda"),
        ("{ wwn = \"0025385891502595\" }", "/dev/nvme0n1"),
        ("{ serial = \"S4EWNX0R123456\" }", "/dev/nvme0n1"),
    ] {
        assert_eq!(server.finds(rule).as_deref(), Ok(expected), "{rule}");
    }
}

#[test]
fn none_or_two_disks_stop_it_and_all_that_there_are_are_named() {
    let server = server("stops");
    let none = server.finds("{ serial = \"X\" }").unwrap_err();
    assert!(none.starts_with("no disk fits the rule (serial X); this machine has:\n"), "{none}");
    let seen = "  /dev/sda: serial ZFL0ABCD, WWN 5000c500b3a1d2e4, model ST2000DM008-2FR1, bus \
                sata, 2000 GB\n";
    assert!(none.contains(seen), "{none}");
    assert!(!none.contains("sdc") && !none.contains("loop0"), "{none}");
    let two = server.finds("{ size = \"100G..\" }").unwrap_err();
    let expected = "2 disks fit the rule (at least 100 GB), it must be one: /dev/nvme0n1 /dev/sda;";
    assert!(two.starts_with(expected), "{two}");
    let nothing = Machine::new("nothing", &[]).finds("{ bus = \"nvme\" }").unwrap_err();
    assert!(nothing.contains("this machine has: none"), "{nothing}");
}

#[test]
fn names_that_look_like_shell_are_names() {
    let machine = Machine::new("names", &[("vda", VIRTIO)]);
    let disk = Ok("/dev/vda");
    assert_eq!(machine.finds("{ serial = \"it's a disk\" }").as_deref(), disk);
    assert_eq!(machine.finds("{ bus = \"virtio\" }").as_deref(), disk);
    for rule in ["{ serial = \"[i]t*\" }", "{ serial = \"$(echo it)*\" }", "{ serial = \"a|i*\" }"]
    {
        assert!(machine.finds(rule).is_err(), "{rule}");
    }
}

#[test]
fn a_disk_that_cannot_be_written_is_none() {
    let machine = Machine::new("read-only", &[("vda", VIRTIO)]);
    fs::write(machine.sys().join("block/vda/ro"), "1\n").unwrap();
    assert!(machine.finds("{ bus = \"virtio\" }").is_err());
}
