//! Which disks and partitions there are, and what each is for. Pure: the kernel's list
//! goes in, decisions come out.
//!
//! A volume is known by its name and its disk's sequence number, which the kernel never
//! gives twice: a stick that is pulled and plugged again between two looks is noticed.

use super::blkid::{Content, FileSystem};

/// The label of the card's FAT partition.
const BOOT_LABEL: &str = "PXEBERRY";
/// The label of the card's state partition.
const STATE_LABEL: &str = "pxeberry-state";

/// An extended partition's entry and the like hold nothing; the smallest FAT is larger.
const SMALLEST_SECTORS: u64 = 64;

/// Block devices that are made by software, or that cannot hold what we look for.
const NOT_DISKS: [&str; 9] = ["loop", "ram", "zram", "dm-", "md", "sr", "mtd", "nbd", "fd"];

/// One line of `/sys/class/block`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `sda1`
    pub name: String,
    /// `sda`, for a partition.
    pub disk: Option<String>,
    /// The disk's sequence number.
    pub sequence: u64,
    /// Size in sectors of 512 bytes; 0 for a card reader without a card.
    pub sectors: u64,
}

/// A disk or partition that may hold a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `sda1`
    pub name: String,
    /// The disk's sequence number.
    pub sequence: u64,
}

/// What a volume is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The card's FAT partition, at `/boot`.
    Boot,
    /// The card's state partition, at `/state`.
    State,
    /// A stick, at `/media/<name>`.
    Stick,
}

/// What to do about a device.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new: look at its superblock.
    Examine(Device),
    /// It is gone; this is what it was mounted as.
    Gone(Device, Option<Role>),
}

/// What to do with a volume whose content is known.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Mount it.
    Mount(Role, FileSystem, String),
    /// It is a stick that cannot be read: one clause that says why.
    Refuse(String),
    /// It is not ours (another operating system's partition on the card).
    PassOver,
}

#[derive(Debug)]
struct Volume {
    device: Device,
    role: Option<Role>,
}

/// All volumes that are there.
#[derive(Debug, Default)]
pub struct Volumes {
    list: Vec<Volume>,
    card_closed: bool,
}

impl Volumes {
    /// Compares with what is there now: first what is gone, then what is new.
    pub fn compare(&mut self, blocks: &[Block]) -> Vec<Change> {
        let present = devices(blocks);
        let (stay, gone): (Vec<_>, Vec<_>) =
            self.list.drain(..).partition(|volume| present.contains(&volume.device));
        self.list = stay;
        let mut changes: Vec<Change> =
            gone.into_iter().map(|volume| Change::Gone(volume.device, volume.role)).collect();
        for device in present {
            if !self.has(&device) {
                self.list.push(Volume { device: device.clone(), role: None });
                changes.push(Change::Examine(device));
            }
        }
        changes
    }

    /// Whether this very device is still there.
    pub fn has(&self, device: &Device) -> bool {
        self.list.iter().any(|volume| volume.device == *device)
    }

    /// Whether a volume has this role.
    pub fn has_role(&self, role: Role) -> bool {
        self.list.iter().any(|volume| volume.role == Some(role))
    }

    /// Decides what a device is for, and remembers it.
    pub fn decide(&mut self, device: &Device, content: Content) -> Verdict {
        let usb = device.name.starts_with("sd");
        let closed = self.card_closed;
        let taken = (closed || self.has_role(Role::Boot), closed || self.has_role(Role::State));
        let verdict = match content {
            Content::Known { system, label } => match role(system, &label, usb, taken) {
                Some(role) => Verdict::Mount(role, system, label),
                None => Verdict::PassOver,
            },
            _ if !usb => Verdict::PassOver,
            Content::Unreadable(name) => Verdict::Refuse(format!(
                "{name} cannot be read here; format the stick as FAT32, exFAT or ext4"
            )),
            Content::Unknown => Verdict::Refuse(
                "no file system found; format the stick as FAT32, exFAT or ext4".to_owned(),
            ),
        };
        if let Verdict::Mount(role, ..) = verdict {
            self.set(device, Some(role));
        }
        verdict
    }

    /// From now on nothing becomes part of the card: the box works without what is missing.
    pub fn close_card(&mut self) {
        self.card_closed = true;
    }

    /// Whether a device with this role is welcome.
    pub fn is_welcome(&self, device: &Device, role: Role) -> bool {
        self.has(device) && (role == Role::Stick || !self.card_closed)
    }

    /// The device could not be mounted after all.
    pub fn failed(&mut self, device: &Device) {
        self.set(device, None);
    }

    fn set(&mut self, device: &Device, role: Option<Role>) {
        if let Some(volume) = self.list.iter_mut().find(|volume| volume.device == *device) {
            volume.role = role;
        }
    }
}

/// The first of a label wins: a second card in a reader is a stick like any other.
fn role(system: FileSystem, label: &str, usb: bool, taken: (bool, bool)) -> Option<Role> {
    let (boot, state) = taken;
    if system == FileSystem::Fat && label.eq_ignore_ascii_case(BOOT_LABEL) && !boot {
        return Some(Role::Boot);
    }
    if system == FileSystem::Ext && label == STATE_LABEL && !state {
        return Some(Role::State);
    }
    usb.then_some(Role::Stick)
}

/// Partitions, and disks without any: many sticks have no partition table.
fn devices(blocks: &[Block]) -> Vec<Device> {
    let divided = |name: &str| blocks.iter().any(|block| block.disk.as_deref() == Some(name));
    let mut devices: Vec<Device> = blocks
        .iter()
        .filter(|block| block.sectors >= SMALLEST_SECTORS && is_disk(&block.name))
        .filter(|block| block.disk.is_some() || !divided(&block.name))
        .map(|block| Device { name: block.name.clone(), sequence: block.sequence })
        .collect();
    devices.sort_by(|one, other| one.name.cmp(&other.name));
    devices
}

fn is_disk(name: &str) -> bool {
    // An eMMC's hardware boot areas belong to its firmware.
    let hidden = name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb"));
    !hidden && !NOT_DISKS.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(name: &str, disk: Option<&str>, sequence: u64) -> Block {
        Block { name: name.to_owned(), disk: disk.map(str::to_owned), sequence, sectors: 2048 }
    }

    fn device(name: &str, sequence: u64) -> Device {
        Device { name: name.to_owned(), sequence }
    }

    fn fat(label: &str) -> Content {
        Content::Known { system: FileSystem::Fat, label: label.to_owned() }
    }

    fn ext(label: &str) -> Content {
        Content::Known { system: FileSystem::Ext, label: label.to_owned() }
    }

    #[test]
    fn partitions_count_and_undivided_disks_count_but_not_divided_ones() {
        let blocks = [
            block("sdb", None, 2),
            block("sda1", Some("sda"), 1),
            block("sda", None, 1),
            block("loop0", None, 3),
            block("mmcblk0boot0", None, 4),
            Block { sectors: 0, ..block("sdc", None, 5) },
        ];
        assert_eq!(devices(&blocks), [device("sda1", 1), device("sdb", 2)]);
    }

    #[test]
    fn a_stick_plugged_again_between_two_looks_is_first_gone_and_then_new() {
        let mut volumes = Volumes::default();
        volumes.compare(&[block("sda1", Some("sda"), 1)]);
        volumes.decide(&device("sda1", 1), fat("IMAGES"));
        let changes = volumes.compare(&[block("sda1", Some("sda"), 2)]);
        let gone = Change::Gone(device("sda1", 1), Some(Role::Stick));
        assert_eq!(changes, [gone, Change::Examine(device("sda1", 2))]);
        assert_eq!(volumes.compare(&[block("sda1", Some("sda"), 2)]), []);
    }

    #[test]
    fn the_cards_partitions_are_known_by_their_labels_on_any_disk() {
        let mut volumes = Volumes::default();
        volumes.compare(&[block("mmcblk0p1", Some("mmcblk0"), 1), block("sda2", Some("sda"), 2)]);
        let boot = volumes.decide(&device("mmcblk0p1", 1), fat("PXEBERRY"));
        assert!(matches!(boot, Verdict::Mount(Role::Boot, ..)));
        let state = volumes.decide(&device("sda2", 2), ext("pxeberry-state"));
        assert!(matches!(state, Verdict::Mount(Role::State, ..)));
    }

    #[test]
    fn a_second_card_in_a_reader_is_a_stick() {
        let mut volumes = Volumes::default();
        volumes.compare(&[block("mmcblk0p1", Some("mmcblk0"), 1), block("sda1", Some("sda"), 2)]);
        volumes.decide(&device("mmcblk0p1", 1), fat("PXEBERRY"));
        let second = volumes.decide(&device("sda1", 2), fat("PXEBERRY"));
        assert!(matches!(second, Verdict::Mount(Role::Stick, ..)));
    }

    #[test]
    fn a_card_that_comes_too_late_changes_nothing() {
        let mut volumes = Volumes::default();
        volumes.close_card();
        let late = volumes.decide(&device("mmcblk0p2", 1), ext("pxeberry-state"));
        assert_eq!(late, Verdict::PassOver);
    }

    #[test]
    fn a_boot_label_on_another_file_system_is_not_the_card() {
        let mut volumes = Volumes::default();
        let verdict = volumes.decide(&device("sda1", 2), ext("PXEBERRY"));
        assert!(matches!(verdict, Verdict::Mount(Role::Stick, ..)));
    }

    #[test]
    fn a_stick_that_cannot_be_read_is_refused_with_advice_and_the_cards_rest_is_passed_over() {
        let mut volumes = Volumes::default();
        let btrfs = Content::Unreadable("Btrfs".to_owned());
        let Verdict::Refuse(why) = volumes.decide(&device("sda1", 1), btrfs) else {
            panic!("not refused");
        };
        assert!(why.starts_with("Btrfs cannot be read") && why.contains("FAT32"), "{why}");
        let card = volumes.decide(&device("mmcblk0p3", 1), Content::Unknown);
        assert_eq!(card, Verdict::PassOver);
        assert_eq!(volumes.decide(&device("mmcblk0p4", 1), fat("DATA")), Verdict::PassOver);
    }
}
